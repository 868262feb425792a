"""Evaluation: question sets, metrics and runners over the public face of `agent` and `retrieval`."""
