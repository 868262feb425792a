"""Langfuse's API: scores of traces, question sets as its data sets, runs of them as its experiments, and prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar

from agent.langfuse import EXPERIMENT, Account, prompt_name, prompts_file
from agent.redaction import Redactor
from ingest.errors import UserError
from ingest.ids import digest

if TYPE_CHECKING:
    from langfuse.api import LangfuseAPI
    from langfuse.api.core.request_options import RequestOptions

    from agent.scores import Score

SECONDS = 5.0  # that one request may take

_ONCE: RequestOptions = {"max_retries": 0}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """A question of a set, with what is expected."""

    id: str
    question: str
    expected: Sequence[str]


class Langfuse:
    """One account's API. Everything raises UserError, in one line, where it cannot be had."""

    def __init__(self, account: Account, redactor: Redactor) -> None:
        self._account = account
        self._redactor = redactor

    def score(self, scores: Sequence[Score]) -> None:
        """Send scores; one of the same name and trace takes the place of the last one."""
        from langfuse.api.scores import CreateScoreRequest

        request = [
            CreateScoreRequest(
                id=digest(f"{each.trace_id} {each.name}".encode())[:32],
                trace_id=each.trace_id,
                name=each.name,
                value=each.value,
                comment=self._redactor.prose(each.comment) or None,
                environment=self._account.environment or None,
            )
            for each in scores
        ]
        taken = self._asked(lambda api: api.scores.create(request=request, request_options=_ONCE))
        if rejected := getattr(taken, "rejected", 0):
            raise UserError(f"Langfuse at {self._host} rejected {rejected} of {len(request)} scores.")

    def experiment(self, data_set: str, items: Sequence[Item], run: str) -> Callable[[str], Mapping[str, str]]:
        """Bring the data set up to date, and return what says of an item, by its id, which attributes mark its trace
        as one of this run. Texts are redacted, and left out where no texts are sent."""
        ids = {item.id: digest(f"{data_set} {item.id}".encode())[:32] for item in items}

        def bring_up(api: LangfuseAPI) -> tuple[str, str]:
            project = api.projects.get(request_options=_ONCE).data[0].id
            made = api.datasets.create(name=data_set, request_options=_ONCE).id
            for item in items:
                api.dataset_items.create(
                    dataset_name=data_set,
                    id=ids[item.id],
                    input=self._redactor.prose(item.question),
                    expected_output=[self._redactor.prose(each) for each in item.expected],
                    metadata={"id": item.id},
                    request_options=_ONCE,
                )
            return project, made

        project, made = self._asked(bring_up)
        # As the server itself names a run, so that resuming one goes on with it.
        named = json.dumps(["langfuse-experiment-v1", project, made, run], separators=(",", ":"), ensure_ascii=False)
        common = {
            f"{EXPERIMENT}id": hashlib.sha256(named.encode()).hexdigest()[:16],
            f"{EXPERIMENT}name": run,
            f"{EXPERIMENT}dataset.id": made,
        }
        return lambda item: common | {f"{EXPERIMENT}item.id": ids[item]}

    def register(self, prompts: Mapping[str, str]) -> dict[str, int]:
        """Make each prompt, by our name of it with its version, a prompt there, and return the versions it has there.
        From then on traces are linked with them."""
        from langfuse.api import NotFoundError
        from langfuse.api.prompts import CreateTextPromptRequest

        def version_of(api: LangfuseAPI, ours: str, text: str) -> int:
            name, label = prompt_name(ours), ours.partition("@")[2]
            try:
                return int(api.prompts.get(name, label=label, request_options=_ONCE).version)
            except NotFoundError:
                request = CreateTextPromptRequest(name=name, prompt=text, labels=[label])
                return int(api.prompts.create(request=request, request_options=_ONCE).version)

        versions = self._asked(lambda api: {ours: version_of(api, ours, text) for ours, text in prompts.items()})
        file = prompts_file()
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            kept = {}
        kept[self._account.url] = versions
        file.write_text(json.dumps(kept), encoding="utf-8")
        return versions

    def _asked(self, ask: Callable[[LangfuseAPI], T]) -> T:
        import httpx
        from langfuse.api import LangfuseAPI
        from langfuse.api.core.api_error import ApiError
        from pydantic import ValidationError

        account = self._account
        try:
            with httpx.Client(timeout=SECONDS) as client:
                return ask(
                    LangfuseAPI(
                        base_url=account.url,
                        username=account.public_key,
                        password=account.secret_key,
                        x_langfuse_sdk_name="python",
                        x_langfuse_sdk_version=version("langfuse"),
                        x_langfuse_public_key=account.public_key,
                        httpx_client=client,
                    )
                )
        except ApiError as error:
            said = "does not accept the keys" if error.status_code in (401, 403) else "did not do what was asked"
            raise UserError(f"Langfuse at {self._host} {said} (HTTP {error.status_code}).") from None
        except httpx.TimeoutException:
            raise UserError(f"Langfuse at {self._host} did not answer within {SECONDS:.0f} seconds.") from None
        except (httpx.HTTPError, ValidationError, ValueError) as error:
            raise UserError(f"Langfuse at {self._host} cannot be asked ({type(error).__name__}).") from None

    @property
    def _host(self) -> str:
        return self._account.destination().host
