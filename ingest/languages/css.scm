; What a style sheet defines. ingest/code_tree.py says what each capture means. A rule is no definition of its own: it is
; short, and many share a class. A class or id of one everyday word is no name.
(rule_set (selectors (class_selector (class_name) @constant)) (#match? @constant "[-_A-Z]"))
(rule_set (selectors (_ (class_selector (class_name) @constant))) (#match? @constant "[-_A-Z]"))
(id_selector (id_name) @constant (#match? @constant "[-_A-Z]"))
(keyframes_statement (keyframes_name) @constant)
(declaration (property_name) @constant (#match? @constant "^--"))

(comment) @text @leading
[(class_name) (id_name) (tag_name) (attribute_name)] @text
(declaration) @text
(feature_query) @text
(string_content) @text
