; What a file of Scala defines. ingest/code_tree.py says what each capture means.
(class_definition name: (identifier) @name) @container
(object_definition name: (identifier) @name) @container
(trait_definition name: (identifier) @name) @container
(enum_definition name: (identifier) @name) @container
(package_object name: (identifier) @name) @container
(given_definition name: (identifier) @name) @container
(function_definition name: (identifier) @name) @function
(function_declaration name: (identifier) @name) @function
(extends_clause type: (type_identifier) @base)
(extends_clause type: (generic_type type: (type_identifier) @base))

(compilation_unit (val_definition pattern: (identifier) @constant))
(type_definition name: (type_identifier) @attribute)
(template_body [(val_definition pattern: (identifier) @attribute)
                (var_definition pattern: (identifier) @attribute)
                (val_declaration name: (identifier) @attribute)
                (var_declaration name: (identifier) @attribute)])
(class_parameter name: (identifier) @attribute)
(simple_enum_case name: (identifier) @attribute)
(full_enum_case name: (identifier) @attribute)

(class_parameter name: (identifier) @local)
(parameter name: (identifier) @local)
(binding name: (identifier) @local)
(lambda_expression parameters: (identifier) @local)
(block (val_definition pattern: (identifier) @local))
(block (var_definition pattern: (identifier) @local))
(indented_block (val_definition pattern: (identifier) @local))
(indented_block (var_definition pattern: (identifier) @local))
(enumerator . (identifier) @local)
(case_clause pattern: (identifier) @local)
(typed_pattern pattern: (identifier) @local)
(wildcard) @local

(arrow_renamed_identifier name: (identifier) @imported alias: (identifier) @alias)
(as_renamed_identifier name: (identifier) @imported alias: (identifier) @alias)

(comment) @text @leading
(block_comment) @text @leading
(string) @text
(character_literal) @text
(interpolated_string_expression) @text
