"""The judge's prompts, one Markdown file each, read by `agent.prompts.prompt`, which says how versions are made."""
