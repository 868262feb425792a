; What JavaScript adds to script.scm. ingest/code_tree.py says what each capture means.
(class_declaration name: (identifier) @name) @container
(field_definition property: (property_identifier) @attribute)
(formal_parameters (identifier) @local)
(assignment_pattern left: (identifier) @local)
(jsx_text) @text
