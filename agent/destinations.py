"""Who else gets traces: read from the settings and the environment, before anything is sent or imported for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from agent.redaction import Value
from ingest.hosts import is_loopback

if TYPE_CHECKING:
    from agent.settings import Settings

HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"
_PATH = "/v1/traces"


def _as_it_is(attributes: Mapping[str, Value], name: str, *, root: bool) -> Mapping[str, Value]:
    return {}


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver of traces. `url` is the whole address that spans are posted to.

    `adapt` gives what this receiver calls otherwise, of a span's redacted attributes, its name and whether it is the
    root.
    """

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    adapt: Callable[..., Mapping[str, Value]] = _as_it_is

    @property
    def host(self) -> str:
        """Where it is, without what an address may hold besides."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    @property
    def elsewhere(self) -> bool:
        """Whether it is on another machine."""
        return not is_loopback(urlsplit(self.url).hostname or "")

    @property
    def resource(self) -> Mapping[str, str]:
        """What all spans are said to come from."""
        return {"service.name": "hoplite", "service.version": version("hoplite")}


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where traces go, and a line for each that was half asked for and is not used."""

    found: tuple[Destination, ...] = ()
    problems: tuple[str, ...] = ()


def destinations(settings: Settings, environ: Mapping[str, str] | None = None) -> Destinations:
    """Return where traces are to go: the `otlp_endpoint` of the settings, and Langfuse where it is configured."""
    from agent.langfuse import account

    environ = os.environ if environ is None else environ
    found: list[Destination] = []
    problems: list[str] = []
    if settings.otlp_endpoint:
        found, problems = _otlp(settings.otlp_endpoint, environ)
    langfuse = account(environ)
    if isinstance(langfuse, str):
        problems.append(langfuse)
    elif langfuse:
        found.append(langfuse.destination())
    return Destinations(tuple(found), tuple(problems))


def _otlp(endpoint: str, environ: Mapping[str, str]) -> tuple[list[Destination], list[str]]:
    if problem := not_an_address(endpoint):
        return [], [f"Traces are not sent: otlp_endpoint {problem}, such as http://localhost:4318."]
    url = endpoint.rstrip("/")
    headers = dict(part.split("=", 1) for part in environ.get(HEADERS, "").split(",") if "=" in part)
    headers = {name.strip(): unquote(value.strip()) for name, value in headers.items()}
    return [Destination("OTLP", url if url.endswith(_PATH) else url + _PATH, headers)], []


def not_an_address(url: str) -> str:
    """Return what is wrong with an HTTP address, "" where nothing is. Never repeats a password in it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, an open bracket
        return "is no address; write http:// or https:// and a host"
    if usable and parts.username is None and not (parts.query or parts.fragment):
        return ""
    if usable:
        return "has a login or a query in it; write only http:// or https:// and a host"
    return f"begins with {parts.scheme or 'no scheme'!r}; write http:// or https:// and a host"


def told(to: Destinations, settings: Settings) -> str:
    """Return the end of a sentence that begins with T or t: what goes to which hosts; "" where nothing leaves."""
    hosts = [f"{each.host} ({each.name})" for each in to.found if each.elsewhere]
    if not hosts:
        return ""
    how = {
        "none": "without its texts",
        "masked": "with its texts, in which keys and passwords are masked"
        + (" and so is personal data" if settings.mask == "all" else ""),
        "full": "with its texts as they are",
    }[settings.trace_content]
    return f"he trace of each question, {how}, goes to {' and to '.join(hosts)}"
