; What TypeScript adds to script.scm. ingest/code_tree.py says what each capture means.
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
