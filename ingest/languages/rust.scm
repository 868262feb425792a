; What a file of Rust defines. ingest/code_tree.py says what each capture means.
(struct_item name: (type_identifier) @name) @container
(enum_item name: (type_identifier) @name) @container
(union_item name: (type_identifier) @name) @container
(trait_item name: (type_identifier) @name) @container
(mod_item name: (identifier) @name) @container
(impl_item type: (type_identifier) @name) @container
(impl_item type: (generic_type type: (type_identifier) @name)) @container
(impl_item type: (scoped_type_identifier name: (type_identifier) @name)) @container
(function_item name: (identifier) @name) @function
(function_signature_item name: (identifier) @name) @function
(macro_definition name: (identifier) @name) @function

(const_item name: (identifier) @constant)
(static_item name: (identifier) @constant)
(type_item name: (type_identifier) @constant)
(field_declaration name: (field_identifier) @attribute)
(enum_variant name: (identifier) @attribute)

(parameter pattern: (identifier) @local)
(parameter pattern: (mut_pattern (identifier) @local))
(closure_parameters (identifier) @local)
(let_declaration pattern: (identifier) @local)
(let_declaration pattern: (mut_pattern (identifier) @local))
(let_condition pattern: (tuple_struct_pattern (identifier) @local))
(for_expression pattern: (identifier) @local)
(tuple_pattern (identifier) @local)

(line_comment) @text @leading
(block_comment) @text @leading
(attribute_item) @leading
(string_content) @text
(char_literal) @text
