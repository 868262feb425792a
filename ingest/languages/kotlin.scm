; What a file of Kotlin defines. ingest/code_tree.py says what each capture means.
(class_declaration name: (identifier) @name) @container
(object_declaration name: (identifier) @name) @container
(companion_object name: (identifier) @name) @container
(function_declaration (user_type . (identifier) @parent) . name: (identifier) @name) @function
(function_declaration name: (identifier) @name) @function
(secondary_constructor "constructor" @name) @function
(delegation_specifier (user_type . (identifier) @base))
(delegation_specifier (constructor_invocation (user_type . (identifier) @base)))

(source_file (property_declaration (variable_declaration . (identifier) @constant)))
(type_alias type: (identifier) @constant)
(class_body (property_declaration (variable_declaration . (identifier) @attribute)))
(class_parameter ["val" "var"] (identifier) @attribute)
(enum_entry . (identifier) @attribute)

(class_parameter (identifier) @local)
(parameter . (identifier) @local)
(block (property_declaration (variable_declaration . (identifier) @local)))
(multi_variable_declaration (variable_declaration . (identifier) @local))
(lambda_parameters (variable_declaration . (identifier) @local))
(for_statement (variable_declaration . (identifier) @local))
(catch_block (identifier) @local)
((identifier) @local (#eq? @local "it"))

(import (qualified_identifier) @imported (identifier) @alias)

(line_comment) @text @leading
(block_comment) @text @leading
(string_content) @text
(character_literal) @text
