; What a file of TypeScript defines. ingest/code_tree.py says what each capture means.
(variable_declarator name: (identifier) @name value: (class)) @container
(function_declaration name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(method_definition name: (_) @name) @function
(variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression)]) @function
(pair key: (property_identifier) @name value: [(arrow_function) (function_expression)]) @function

(program [(lexical_declaration (variable_declarator name: (identifier) @constant))
          (variable_declaration (variable_declarator name: (identifier) @constant))
          (export_statement (lexical_declaration (variable_declarator name: (identifier) @constant)))])

(rest_pattern (identifier) @local)
(array_pattern (identifier) @local)
(arrow_function parameter: (identifier) @local)
(variable_declarator name: (identifier) @local)
(for_in_statement left: (identifier) @local)
(catch_clause parameter: (identifier) @local)

(comment) @text @leading
(string_fragment) @text
(regex_pattern) @text
(shorthand_property_identifier_pattern) @local
(assignment_expression left: (member_expression) @name right: [(arrow_function) (function_expression)]) @function

(class_declaration name: (type_identifier) @name) @container
(abstract_class_declaration name: (type_identifier) @name) @container
(interface_declaration name: (type_identifier) @name) @container
(enum_declaration name: (identifier) @name) @container
(internal_module name: (_) @name) @container
(type_alias_declaration name: (type_identifier) @name) @container
(function_signature name: (identifier) @name) @function
(abstract_method_signature name: (_) @name) @function

(public_field_definition name: (property_identifier) @field)
(property_signature name: (property_identifier) @attribute)
(method_signature name: (property_identifier) @attribute)
(enum_body name: (property_identifier) @attribute)
(enum_assignment name: (property_identifier) @attribute)
(required_parameter pattern: (identifier) @local)
(optional_parameter pattern: (identifier) @local)

(extends_clause value: (_) @base)
(implements_clause [(type_identifier) (generic_type)] @base)
(extends_type_clause type: (type_identifier) @base)

; Routes: Express and its like.
(call_expression function: (member_expression) @_route
  arguments: (arguments . (string (string_fragment) @route))
  (#match? @_route "^(app|router|server|api)[.](get|post|put|patch|delete|all|use)$"))
