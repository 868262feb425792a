"""The views of the page, a tab each."""
