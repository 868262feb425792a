; What a file of Python defines. ingest/code_tree.py says what each capture means.
(class_definition name: (identifier) @name) @container
(function_definition name: (identifier) @name) @function

(module (expression_statement (assignment left: (identifier) @constant)))
(module (expression_statement (assignment left: (pattern_list (identifier) @constant))))
(class_definition body: (block (expression_statement (assignment left: (identifier) @field type: (_)))))
(class_definition body: (block (expression_statement (assignment left: (identifier) @attribute !type))))

; Names that mean nothing outside their function.
(parameters (identifier) @local)
(lambda_parameters (identifier) @local)
(default_parameter name: (identifier) @local)
(typed_parameter (identifier) @local)
(typed_default_parameter name: (identifier) @local)
(list_splat_pattern (identifier) @local)
(dictionary_splat_pattern (identifier) @local)
(assignment left: (identifier) @local)
(pattern_list (identifier) @local)
(tuple_pattern (identifier) @local)
(for_statement left: (identifier) @local)
(for_in_clause left: (identifier) @local)
(named_expression name: (identifier) @local)
(as_pattern_target (identifier) @local)

(comment) @text @leading
(string_content) @text

(import_statement name: (dotted_name) @imported)
(import_statement name: (aliased_import name: (dotted_name) @imported alias: (identifier) @alias))
(import_from_statement module_name: (_) @module name: (dotted_name) @imported)
(import_from_statement module_name: (_) @module name: (aliased_import name: (dotted_name) @imported alias: (identifier) @alias))

; Command-line options: argparse, click, typer, optparse.
;; held: (?:ption|rgument)\s*+\(
(call function: [(identifier) (attribute)] @_call
  arguments: (argument_list (string (string_content) @option))
  (#match? @_call "(add_argument|add_option|[oO]ption|[aA]rgument)$"))
(import_from_statement module_name: (_) @module (wildcard_import) @imported)

(class_definition superclasses: (argument_list [(identifier) (attribute)] @base))
(class_definition superclasses: (argument_list (subscript value: (_) @base)))

; What a variable is made of, and methods of what was just made.
(assignment left: (identifier) @variable right: (call function: [(identifier) (attribute)] @made))
(call function: (attribute object: (call function: [(identifier) (attribute)] @made) attribute: (identifier) @method))
(module (expression_statement (assignment left: (identifier) @variable right: [(identifier) (attribute)] @same)))

; Routes: Django, Flask, FastAPI.
;; held: (?:path|route|get|post|put|patch|delete|websocket)\s*+\((?:\s|#.*+)*+\w*+['"]
(call function: [(identifier) (attribute)] @_route
  arguments: (argument_list . (string (string_content) @route))
  (#match? @_route "^(re_)?path$|[.](route|get|post|put|patch|delete|websocket)$"))
