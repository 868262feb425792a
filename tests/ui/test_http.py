"""The API does what docs/http.md says: its two examples are run as they stand, with and without a password."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.security.test_gradio import PASSWORD, Page, served

DOCS = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


def example(language: str) -> str:
    """The page's one example in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module", params=["", PASSWORD], ids=["open", "password"])
def page(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, dict[str, str]]]:
    """A page, and what somebody who may use it has in the environment."""
    environ = {"HOPLITE_PASSWORD": request.param} if request.param else {}
    with served(tmp_path_factory.mktemp("http") / "station", **environ) as opened:
        yield opened, environ


def test_the_example_in_python_gets_an_answer_and_passages(page: tuple[Page, dict[str, str]], tmp_path: Path) -> None:
    code = example("python").replace("http://127.0.0.1:7860", page[0].address)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | page[1],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^src/settings\.py \d+ True$", done.stdout, re.MULTILINE)
    assert "src/settings.py" in done.stdout.splitlines()[-1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
def test_the_example_with_curl_gets_an_answer(page: tuple[Page, dict[str, str]]) -> None:
    code = example("sh").replace("http://127.0.0.1:7860", page[0].address)
    done = subprocess.run(["bash", "-c", code], env=os.environ | page[1], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    event, data = done.stdout.strip().splitlines()[-2:]
    assert event == "event: complete"
    (answer,) = json.loads(data.removeprefix("data: "))
    assert answer["citations"][0]["path"] == "src/settings.py"
    assert set(answer) >= {"question", "answer", "abstained", "citations", "steps", "usage", "timings", "trace_id"}


@pytest.mark.parametrize(
    ("name", "said", "wrong"),
    [("ask", {"question": ""}, "question is a text"), ("ask", {"question": 5}, "question is a text"),
     ("ask", {"question": "x" * 2001}, "2,000"), ("ask", {"question": "x", "form": "poem"}, "form is one of"),
     ("search", {"query": "x", "k": 0}, "k is a number"), ("search", {"query": "x", "k": True}, "k is a number"),
     ("search", {"query": "x", "k": 10**9}, "k is a number"), ("search", {"query": ["x"]}, "query is a text")],
)  # fmt: skip
def test_a_wrong_argument_says_what_is_right(
    page: tuple[Page, dict[str, str]], name: str, said: dict[str, object], wrong: str
) -> None:
    opened, environ = page
    headers = {"authorization": f"Bearer {environ['HOPLITE_PASSWORD']}"} if environ else {}
    with httpx.Client(base_url=f"{opened.address}/gradio_api/call", headers=headers, timeout=60) as client:
        event = client.post(f"/v2/{name}", json=said).json()["event_id"]
        answer = client.get(f"/{name}/{event}").text
    assert "event: error" in answer
    assert wrong in answer


def test_the_endpoints_are_named_typed_and_described(page: tuple[Page, dict[str, str]]) -> None:
    opened, environ = page
    headers = {"authorization": f"Bearer {environ['HOPLITE_PASSWORD']}"} if environ else {}
    ask = opened.ask("GET", "/gradio_api/info", headers=headers).json()["named_endpoints"]["/ask"]
    assert [each["parameter_name"] for each in ask["parameters"]] == ["question", "form"]
    assert ask["parameters"][0]["type"] == {"type": "string"}
    assert ask["parameters"][1]["type"] == {"enum": ["auto", "short", "paragraph", "report", "table"]}
    assert "citation checked" in ask["description"]
    assert opened.ask("GET", "/gradio_api/openapi.json", headers=headers).status_code == 200
