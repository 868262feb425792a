; What a file of Go defines. ingest/code_tree.py says what each capture means.
(function_declaration name: (identifier) @name) @function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @parent
    (pointer_type (type_identifier) @parent)
    (generic_type type: (type_identifier) @parent)
    (pointer_type (generic_type type: (type_identifier) @parent))]))
  name: (field_identifier) @name) @function
(type_declaration (type_spec name: (type_identifier) @name)) @container
(type_declaration (type_alias name: (type_identifier) @name)) @container

(source_file (const_declaration (const_spec name: (identifier) @constant)))
(source_file (var_declaration (var_spec name: (identifier) @constant)))
(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @constant))))
(package_clause (package_identifier) @constant)
(field_declaration name: (field_identifier) @attribute)
(method_elem name: (field_identifier) @attribute)

(parameter_declaration name: (identifier) @local)
(variadic_parameter_declaration name: (identifier) @local)
(short_var_declaration left: (expression_list (identifier) @local))
(range_clause left: (expression_list (identifier) @local))
(var_spec name: (identifier) @local)

(comment) @text @leading
(interpreted_string_literal_content) @text
(raw_string_literal_content) @text
(rune_literal) @text

; Routes: net/http, gorilla, chi, gin.
(call_expression function: (selector_expression) @_route
  arguments: (argument_list . (interpreted_string_literal (interpreted_string_literal_content) @route))
  (#match? @_route "[.](HandleFunc|Handle|Get|Post|Put|Patch|Delete|GET|POST|PUT|PATCH|DELETE)$"))
