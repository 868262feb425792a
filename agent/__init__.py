"""The agent: plan, gather in a locked child, reflect, answer with checked citations, remember. Knows not who asks."""
