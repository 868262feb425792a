"""Retrieval: store, first stage, hops over names, rerank and passages. Knows no language model."""
