"""Repositories and pages from elsewhere, as files in a folder. No other part of ingestion has a network."""
