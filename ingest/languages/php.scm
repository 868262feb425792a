; What a file of PHP defines. ingest/code_tree.py says what each capture means.
(class_declaration name: (name) @name) @container
(interface_declaration name: (name) @name) @container
(trait_declaration name: (name) @name) @container
(enum_declaration name: (name) @name) @container
(namespace_definition name: (namespace_name) @name body: (_)) @container
(function_definition name: (name) @name) @function
(method_declaration name: (name) @name) @function
(base_clause [(name) (qualified_name)] @base)
(class_interface_clause [(name) (qualified_name)] @base)
(use_declaration [(name) (qualified_name)] @base)

(program (const_declaration (const_element (name) @constant)))
(function_call_expression function: (name) @_call
  arguments: (arguments . (argument (string (string_content) @constant)))
  (#match? @_call "^define$"))
(declaration_list (const_declaration (const_element . (name) @attribute)))
(property_declaration (property_element name: (variable_name (name) @attribute)))
(property_promotion_parameter name: (variable_name (name) @attribute))
(enum_case name: (name) @attribute)

(simple_parameter name: (variable_name) @local)
(property_promotion_parameter name: (variable_name) @local)
(variadic_parameter name: (variable_name) @local)
(assignment_expression left: (variable_name) @local)
(list_literal (variable_name) @local)
(foreach_statement (variable_name) @local)
(foreach_statement (pair (variable_name) @local))
(catch_clause name: (variable_name) @local)
(static_variable_declaration name: (variable_name) @local)
(heredoc_start) @local
(heredoc_end) @local

(qualified_name prefix: (namespace_name) @text)
(namespace_definition name: (namespace_name) @text !body)
(namespace_use_clause (qualified_name (name) @imported) alias: (name) @alias)

(comment) @text @leading
(string_content) @text
(heredoc_body) @text
(nowdoc_string) @text
(text) @text
