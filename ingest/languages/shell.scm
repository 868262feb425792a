; What a shell script defines. ingest/code_tree.py says what each capture means.
(function_definition name: (word) @name) @function

(program (variable_assignment name: (variable_name) @constant))
(program (declaration_command (variable_assignment name: (variable_name) @constant)))

(function_definition body: (_ (variable_assignment name: (variable_name) @local)))
(declaration_command "local" (variable_assignment name: (variable_name) @local))
(declaration_command "local" (variable_name) @local)
(for_statement variable: (variable_name) @local)
(command name: (command_name (word) @_read) argument: (word) @local (#eq? @_read "read"))
(heredoc_start) @local
(heredoc_end) @local

; A script reads its options where it tells cases apart.
(case_item value: [(word) (extglob_pattern)] @option (#match? @option "^--[a-z]"))

(comment) @text @leading
(string_content) @text
(raw_string) @text
(ansi_c_string) @text
(regex) @text
(heredoc_body) @text
(command argument: (word) @text)
(concatenation (word) @text)
(array (word) @text)
(file_redirect destination: (word) @text)
(case_item value: [(word) (extglob_pattern)] @text)
