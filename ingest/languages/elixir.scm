; What a file of Elixir defines. ingest/code_tree.py says what each capture means.
(call target: (identifier) @_kind (arguments . (alias) @name) (do_block)
  (#match? @_kind "^(defmodule|defprotocol|defimpl)$")) @container
(call target: (identifier) @_kind (arguments . [
    (identifier) @name
    (call target: (identifier) @name)
    (binary_operator left: (call target: (identifier) @name) operator: "when")])
  (#match? @_kind "^(def|defp|defmacro|defmacrop|defguard|defguardp|defdelegate)$")) @function
(call target: (identifier) @_use (arguments . (alias) @base) (#eq? @_use "use"))
(unary_operator operator: "@" operand: (call target: (identifier) @_behaviour (arguments (alias) @base))
  (#eq? @_behaviour "behaviour"))

(unary_operator operator: "@" operand: (call target: (identifier) @attribute)
  (#not-match? @attribute "^(doc|moduledoc|typedoc|spec|type|typep|opaque|impl|behaviour|callback|derive|since|dialyzer)$"))
(call target: (identifier) @_struct (arguments [(list (atom) @attribute) (list (keywords (pair key: (keyword) @attribute)))
    (keywords (pair key: (keyword) @attribute))]) (#match? @_struct "^(defstruct|defexception)$"))

(call target: (identifier) @_kind
  (arguments . [(call (arguments (identifier) @local)) (binary_operator left: (call (arguments (identifier) @local)))])
  (#match? @_kind "^(def|defp|defmacro|defmacrop|defguard|defguardp|defdelegate)$"))
(binary_operator left: (identifier) @local operator: ["=" "<-"])
(stab_clause left: (arguments (identifier) @local))

(call target: (identifier) @_alias
  (arguments . (alias) @imported (keywords (pair value: (alias) @alias))) (#eq? @_alias "alias"))

(unary_operator operator: "@" operand: (call target: (identifier) @_about)
  (#match? @_about "^(doc|spec|impl|since|deprecated)$")) @leading
(comment) @text @leading
(quoted_content) @text
(keyword) @text
