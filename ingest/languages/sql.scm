; What a file of SQL defines. ingest/code_tree.py says what each capture means.
(create_table (object_reference) @name) @container
(create_type (object_reference) @name) @container
(create_view (object_reference) @name) @function
(create_materialized_view (object_reference) @name) @function
(create_function (object_reference) @name) @function
(create_trigger (keyword_trigger) . (object_reference) @name) @function
(alter_table (object_reference) @parent (add_column (column_definition name: (_) @name))) @function

(create_schema (identifier) @constant)
(create_index column: (identifier) @constant)
(constraint name: (identifier) @constant)
(column_definition name: (identifier) @attribute)

(function_argument . (identifier) @local)
(relation alias: (identifier) @local)
(cte . (identifier) @local)
(term alias: (identifier) @local)

(comment) @text @leading
(marginalia) @text @leading
(literal) @text
