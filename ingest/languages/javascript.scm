; What a file of JavaScript defines. ingest/code_tree.py says what each capture means.
(class_declaration name: (identifier) @name) @container
(variable_declarator name: (identifier) @name value: (class)) @container
(function_declaration name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(method_definition name: (_) @name) @function
(variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression)]) @function
(assignment_expression left: (member_expression) @name right: [(arrow_function) (function_expression)]) @function
(pair key: (property_identifier) @name value: [(arrow_function) (function_expression)]) @function

(program [(lexical_declaration (variable_declarator name: (identifier) @constant))
          (variable_declaration (variable_declarator name: (identifier) @constant))
          (export_statement (lexical_declaration (variable_declarator name: (identifier) @constant)))])
(field_definition property: (property_identifier) @attribute)

(formal_parameters (identifier) @local)
(assignment_pattern left: (identifier) @local)
(rest_pattern (identifier) @local)
(shorthand_property_identifier_pattern) @local
(array_pattern (identifier) @local)
(arrow_function parameter: (identifier) @local)
(variable_declarator name: (identifier) @local)
(for_in_statement left: (identifier) @local)
(catch_clause parameter: (identifier) @local)

(comment) @text @leading
(string_fragment) @text
(regex_pattern) @text
(jsx_text) @text

(class_heritage [(identifier) (member_expression)] @base)

; Routes: Express and its like.
(call_expression function: (member_expression) @_route
  arguments: (arguments . (string (string_fragment) @route))
  (#match? @_route "^(app|router|server|api)[.](get|post|put|patch|delete|all|use)$"))
