; What a file of Terraform defines. ingest/code_tree.py says what each capture means. Each block is named as expressions
; name it: `aws_instance.pond`, `data.aws_ami.heron`, `var.pond_depth`, `local.station_name`, `module.water`.
(block . (identifier) @_resource . (string_lit (template_literal) @parent) . (string_lit (template_literal) @name)
  (#match? @_resource "^(resource|ephemeral)$")) @function
(block . (identifier) @parent @_data . (string_lit (template_literal) @parent)
  . (string_lit (template_literal) @name) (#eq? @_data "data")) @function
(block . (identifier) @parent . (string_lit (template_literal) @name) . (block_start)
  (#match? @parent "^(module|output|provider|check)$")) @function
(block . (identifier) @_variable . (string_lit (template_literal) @constant) . (block_start)
  (#eq? @_variable "variable"))
(block . (identifier) @_locals (body (attribute . (identifier) @constant)) (#eq? @_locals "locals"))

(comment) @text @leading
(template_literal) @text
(heredoc_identifier) @local
