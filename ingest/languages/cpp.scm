; What a file of C++ defines. ingest/code_tree.py says what each capture means.
(function_definition declarator: (function_declarator declarator: (identifier) @name)) @function
(function_definition declarator: (pointer_declarator (function_declarator declarator: (identifier) @name))) @function
(function_definition declarator: (pointer_declarator (pointer_declarator (function_declarator declarator: (identifier) @name)))) @function
(struct_specifier name: (type_identifier) @name body: (_)) @container
(union_specifier name: (type_identifier) @name body: (_)) @container
(enum_specifier name: (type_identifier) @name body: (_)) @container
(type_definition declarator: (type_identifier) @name) @container

(preproc_def name: (identifier) @constant)
(preproc_function_def name: (identifier) @constant)
(declaration declarator: (function_declarator declarator: (identifier) @constant))
(declaration declarator: (pointer_declarator (function_declarator declarator: (identifier) @constant)))
(translation_unit (declaration declarator: (init_declarator declarator: (identifier) @constant)))
(enumerator name: (identifier) @constant)
(field_declaration declarator: (field_identifier) @attribute)
(field_declaration declarator: (pointer_declarator (field_identifier) @attribute))
(field_declaration declarator: (array_declarator (field_identifier) @attribute))

(parameter_declaration declarator: (identifier) @local)
(parameter_declaration declarator: (pointer_declarator) @local)
(parameter_declaration declarator: (array_declarator) @local)
(declaration declarator: (identifier) @local)
(declaration declarator: (pointer_declarator (identifier) @local))
(declaration declarator: (array_declarator (identifier) @local))
(init_declarator declarator: (_) @local)

(comment) @text @leading
(string_content) @text
(system_lib_string) @text
(char_literal) @text

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
