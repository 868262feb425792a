; What a file of Swift defines. ingest/code_tree.py says what each capture means.
(class_declaration name: [(type_identifier) (user_type)] @name) @container
(protocol_declaration name: (type_identifier) @name) @container
(function_declaration name: (simple_identifier) @name) @function
(protocol_function_declaration name: (simple_identifier) @name) @function
(init_declaration "init" @name) @function
(deinit_declaration "deinit" @name) @function
(subscript_declaration "subscript" @name) @function
(property_declaration name: (pattern bound_identifier: (simple_identifier) @name) computed_value: (_)) @function
(inheritance_specifier inherits_from: (user_type (type_identifier) @base))

(source_file (property_declaration name: (pattern bound_identifier: (simple_identifier) @constant)))
(typealias_declaration . name: (type_identifier) @constant)
(associatedtype_declaration name: (type_identifier) @attribute)
(class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @attribute)))
(protocol_property_declaration name: (pattern bound_identifier: (simple_identifier) @attribute))
(enum_class_body (property_declaration name: (pattern bound_identifier: (simple_identifier) @attribute)))
(enum_entry name: (simple_identifier) @attribute)

(parameter external_name: (simple_identifier) @local)
(parameter name: (simple_identifier) @local)
(lambda_parameter name: (simple_identifier) @local)
(statements (property_declaration name: (pattern bound_identifier: (simple_identifier) @local)))
(for_statement item: (pattern bound_identifier: (simple_identifier) @local))
(if_statement bound_identifier: (simple_identifier) @local)
(guard_statement bound_identifier: (simple_identifier) @local)
(while_statement bound_identifier: (simple_identifier) @local)
(value_argument_label (simple_identifier) @text)

(comment) @text @leading
(multiline_comment) @text @leading
(line_str_text) @text
(multi_line_str_text) @text
(raw_str_part) @text
