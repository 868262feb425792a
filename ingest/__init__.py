"""Ingestion: walk, load, chunk and name files. Knows no model; the locked child lives here too."""
