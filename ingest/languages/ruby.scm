; What a file of Ruby defines. ingest/code_tree.py says what each capture means.
(module name: (_) @name) @container
(class name: (_) @name) @container
(assignment left: (constant) @name
  right: (call receiver: (constant) @_maker) @_made
  (#match? @_maker "^(Struct|Class|Module|Data)$")
  (#match? @_made "^[A-Z][a-z]+[.](new|define)[^A-Za-z0-9_]")) @container
(method name: (_) @name) @function
(singleton_method name: (_) @name) @function
(superclass [(constant) (scope_resolution)] @base)
(call method: (identifier) @_mixin arguments: (argument_list [(constant) (scope_resolution)] @base)
  (#match? @_mixin "^(include|extend|prepend)$"))

(assignment left: (constant) @attribute)
(program (assignment left: (constant) @constant))
(call method: (identifier) @_attribute arguments: (argument_list (simple_symbol) @attribute)
  (#match? @_attribute "^(attr_(reader|writer|accessor)|define_method)$"))

(method_parameters (identifier) @local)
(block_parameters (identifier) @local)
(lambda_parameters (identifier) @local)
(keyword_parameter name: (identifier) @local)
(optional_parameter name: (identifier) @local)
(splat_parameter name: (identifier) @local)
(hash_splat_parameter name: (identifier) @local)
(block_parameter name: (identifier) @local)
(destructured_parameter (identifier) @local)
(assignment left: (identifier) @local)
(assignment left: (left_assignment_list (identifier) @local))
(exception_variable (identifier) @local)
(for pattern: (identifier) @local)
(instance_variable) @local
(heredoc_beginning) @local
(heredoc_end) @local

(comment) @text @leading
(string_content) @text
(heredoc_content) @text
