; What a file of C# defines. ingest/code_tree.py says what each capture means.
(namespace_declaration name: (_) @name) @container
(class_declaration name: (identifier) @name) @container
(struct_declaration name: (identifier) @name) @container
(interface_declaration name: (identifier) @name) @container
(record_declaration name: (identifier) @name) @container
(enum_declaration name: (identifier) @name) @container
(method_declaration name: (identifier) @name) @function
(constructor_declaration name: (identifier) @name) @function
(local_function_statement name: (identifier) @name) @function
(property_declaration name: (identifier) @name accessors: (accessor_list (accessor_declaration body: (_)))) @function
(property_declaration name: (identifier) @name value: (arrow_expression_clause)) @function
(indexer_declaration "this" @name) @function
(base_list [(identifier) (qualified_name)] @base)
(base_list (generic_name (identifier) @base))
(base_list (primary_constructor_base_type type: (identifier) @base))

(field_declaration (variable_declaration (variable_declarator name: (identifier) @attribute)))
(event_field_declaration (variable_declaration (variable_declarator name: (identifier) @attribute)))
(property_declaration name: (identifier) @attribute)
(enum_member_declaration name: (identifier) @attribute)
(record_declaration (parameter_list (parameter name: (identifier) @attribute)))
(delegate_declaration name: (identifier) @constant)

(parameter name: (identifier) @local)
(implicit_parameter) @local
(local_declaration_statement (variable_declaration (variable_declarator name: (identifier) @local)))
(for_statement (variable_declaration (variable_declarator name: (identifier) @local)))
(using_statement (variable_declaration (variable_declarator name: (identifier) @local)))
(foreach_statement left: (identifier) @local)
(catch_declaration name: (identifier) @local)
(declaration_expression name: (identifier) @local)
(declaration_pattern name: (identifier) @local)

(using_directive name: (identifier) @alias [(identifier) (qualified_name)] @imported)

(comment) @text @leading
(string_literal_content) @text
(string_content) @text
(verbatim_string_literal) @text
(raw_string_content) @text
(character_literal) @text
