"""Langfuse as a receiver of traces: its account, and what it calls our attributes.

Spans go to its OTLP endpoint like to any other. Its SDK is used for its API alone (`agent/langfuse_api.py`): the SDK's
tracer adds itself to the process's provider for good, chooses spans by itself, and waits at exit for a silent server.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path

from agent.destinations import Destination, not_an_address
from agent.redaction import Value

PUBLIC_KEY, SECRET_KEY = "LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"
HOSTS = ("LANGFUSE_BASE_URL", "LANGFUSE_HOST")
ENVIRONMENT = "LANGFUSE_TRACING_ENVIRONMENT"

EXPERIMENT = "langfuse.experiment."
ROOT = f"{EXPERIMENT}item.root_observation_id"

_TYPES = {
    "AGENT": "agent",
    "CHAIN": "chain",
    "EMBEDDING": "embedding",
    "EVALUATOR": "evaluator",
    "LLM": "generation",
    "RERANKER": "retriever",
    "RETRIEVER": "retriever",
    "TOOL": "tool",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Keys and where they are for."""

    url: str
    public_key: str
    secret_key: str = field(repr=False)
    environment: str = ""

    def destination(self) -> Destination:
        """Return where spans go."""
        login = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        headers = {"authorization": f"Basic {login}", "x-langfuse-ingestion-version": "4"}
        return Destination("Langfuse", f"{self.url}/api/public/otel/v1/traces", headers, self.adapt)

    def adapt(self, attributes: Mapping[str, Value], name: str, *, root: bool) -> dict[str, Value]:
        """Return what Langfuse calls otherwise, of a span's redacted attributes. It knows the others' names."""
        kind = "LLM" if "gen_ai.request.model" in attributes else str(attributes.get("openinference.span.kind", ""))
        adapted: dict[str, Value | None] = {
            "langfuse.observation.type": _TYPES.get(kind, "span"),
            "langfuse.trace.tags": attributes.get("hoplite.tags"),
            "langfuse.trace.name": name if root else None,
            "langfuse.release": version("hoplite"),
            "langfuse.environment": self.environment or None,
        }
        if (dollars := attributes.get("llm.cost.total", attributes.get("hoplite.dollars"))) is not None:
            adapted["langfuse.observation.cost_details"] = json.dumps({"total": dollars})
        if prompt := _registered(self.url, str(attributes.get("hoplite.prompt", ""))):
            adapted["langfuse.observation.prompt.name"], adapted["langfuse.observation.prompt.version"] = prompt
        return {key: value for key, value in adapted.items() if value is not None}


def account(environ: Mapping[str, str] | None = None) -> Account | str | None:
    """Return the account that the environment names, a line that says why what it names is none, or None for nothing.

    The host must be said: the SDK's own default is a server on the internet.
    """
    environ = os.environ if environ is None else environ
    public, secret = (environ.get(name, "").strip() for name in (PUBLIC_KEY, SECRET_KEY))
    if not public and not secret:
        return None
    host = next(((name, url) for name in HOSTS if (url := environ.get(name, "").strip())), None)
    lacking = [name for name, value in ((PUBLIC_KEY, public), (SECRET_KEY, secret), (HOSTS[0], host)) if not value]
    if lacking or host is None:
        return f"Langfuse gets no traces: {' and '.join(lacking)} is not set. Set it, or unset the other variables."
    if problem := not_an_address(host[1]):
        return f"Langfuse gets no traces: {host[0]} {problem}."
    return Account(host[1].rstrip("/"), public, secret, environ.get(ENVIRONMENT, "").strip())


def prompts_file() -> Path:
    """Return where it is kept which prompt is which version at Langfuse."""
    from retrieval.weights import user_cache

    return user_cache() / "langfuse-prompts.json"


@cache
def _versions() -> dict[str, dict[str, int]]:
    """Versions by server and by our own names of prompts, as `hoplite trace prompts` left them."""
    try:
        kept = json.loads(prompts_file().read_text(encoding="utf-8"))
        return {str(url): {str(k): int(v) for k, v in named.items()} for url, named in kept.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # spans then have our names of the prompts, and no link


def _registered(url: str, prompts: str) -> tuple[str, int] | None:
    """Name and version at Langfuse of the first of a call's prompts, such as `answer_full@1a2b3c4d`."""
    first = prompts.partition(" ")[0]
    found = _versions().get(url, {}).get(first)
    return None if found is None else (prompt_name(first), found)


def prompt_name(ours: str) -> str:
    """Return what a prompt is called there."""
    return f"hoplite-{ours.partition('@')[0]}"
