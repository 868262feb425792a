; What C++ adds to c.scm. ingest/code_tree.py says what each capture means.
(class_specifier name: (type_identifier) @name body: (_)) @container
(class_specifier name: (template_type name: (type_identifier) @name) body: (_)) @container
(namespace_definition name: (_) @name) @container
(function_definition declarator: (function_declarator declarator: (field_identifier) @name)) @function
(function_definition declarator: (function_declarator declarator: (qualified_identifier) @name)) @function
(function_definition declarator: (function_declarator declarator: (destructor_name) @name)) @function
(function_definition declarator: (function_declarator declarator: (operator_name) @name)) @function
(function_definition declarator: (pointer_declarator (function_declarator declarator: [(qualified_identifier) (field_identifier)] @name))) @function
(function_definition declarator: (reference_declarator (function_declarator declarator: [(qualified_identifier) (field_identifier) (identifier)] @name))) @function
(namespace_definition body: (declaration_list (declaration declarator: (init_declarator declarator: (identifier) @constant))))
(alias_declaration name: (type_identifier) @constant)
(field_declaration declarator: (function_declarator declarator: (field_identifier) @attribute))
(parameter_declaration declarator: (reference_declarator (identifier) @local))
(for_range_loop declarator: (_) @local)
(raw_string_content) @text

(base_class_clause [(type_identifier) (qualified_identifier)] @base)
