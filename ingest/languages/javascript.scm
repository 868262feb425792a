; What JavaScript adds to script.scm. ingest/code_tree.py says what each capture means.
(class_declaration name: (identifier) @name) @container
(field_definition property: (property_identifier) @attribute)
(formal_parameters (identifier) @local)
(assignment_pattern left: (identifier) @local)
(jsx_text) @text

(class_heritage [(identifier) (member_expression)] @base)

; Routes: Express and its like.
(call_expression function: (member_expression) @_route
  arguments: (arguments . (string (string_fragment) @route))
  (#match? @_route "^(app|router|server|api)[.](get|post|put|patch|delete|all|use)$"))
