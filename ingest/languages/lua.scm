; What a Lua file defines. ingest/code_tree.py says what each capture means.
(function_declaration name: (_) @name) @function
(assignment_statement (variable_list . name: (_) @name) (expression_list . value: (function_definition))) @function
(field name: (identifier) @name value: (function_definition)) @function

; A module is a table that the file returns: `local M = {}`, `M.LIMIT = 3`.
(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @constant))))
(chunk (assignment_statement (variable_list name: (identifier) @constant)))
(chunk (assignment_statement (variable_list name: (dot_index_expression field: (identifier) @constant)))
  (#not-match? @constant "^__"))

(parameters name: (identifier) @local)
(variable_declaration (assignment_statement (variable_list name: (identifier) @local)))
(variable_declaration (variable_list name: (identifier) @local))
(for_generic_clause (variable_list name: (identifier) @local))
(for_numeric_clause name: (identifier) @local)

(comment) @text @leading
(string_content) @text
