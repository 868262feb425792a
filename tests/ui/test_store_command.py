"""A workspace whose store is on a server, from the command line: kept, shared, moved, and told when it fails."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from retrieval import server_link, stores
from retrieval.indexing import Part
from retrieval.manifest import Manifest
from retrieval.server_link import Patience
from retrieval.store_server import ServerStore
from retrieval.types import HERE, Place
from retrieval.workspace import find
from tests.retrieval.loopback import Asked, Fault, Loopback
from tests.retrieval.made import HashEmbedder, prose
from tests.ui import station
from tests.ui.conftest import Hoplite

SERVER = "HOPLITE_TEST_QDRANT_URL"
KEYS = {name: os.environ[name] for name in stores.KEYS if name in os.environ}
HASTY = Patience(connect=1.0, answer=1.0, whole=2.0, pause=0.02)
QUESTION = "How many days are readings kept?"


def wait(monkeypatch: pytest.MonkeyPatch, patience: Patience) -> None:
    for name in ("SEARCHING", "WRITING"):
        monkeypatch.setattr(server_link, name, patience)


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("HOPLITE_QDRANT_API_KEY", "QDRANT_API_KEY"):
        monkeypatch.delenv(key, raising=False)


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture
def on_server(folder: Path, hoplite: Hoplite, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The station, indexed on a server, and the current folder."""
    monkeypatch.chdir(folder)
    result = hoplite("index", folder, "--store", server.url)
    assert result.exit_code == 0, result.stderr
    return folder


def place_of(folder: Path) -> Place:
    with closing(Manifest(find(folder).manifest)) as manifest:
        made = manifest.settings()
    assert made is not None
    return made.place


def points(server: Loopback, folder: Path) -> int:
    return int(server.client.count(place_of(folder).collection).count)


def one_line(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text


# Kept -----------------------------------------------------------------------------------------------------------------


def test_every_command_finds_the_store_again(on_server: Path, hoplite: Hoplite, server: Loopback) -> None:
    assert not (on_server / ".hoplite" / "store").exists()
    found = hoplite("search", QUESTION, "--json")
    assert {hit["path"] for hit in json.loads(found.stdout)["hits"]} >= {"guide.md", "src/settings.py"}
    assert "src/store.py" in hoplite("symbols", "sweep").stdout
    assert "HERON_RETENTION = 45" in hoplite("ask", "What is HERON_RETENTION?", "--model", "none").stdout
    (on_server / "guide.md").unlink()
    assert "1 gone" in hoplite("index", on_server).stderr
    assert hoplite("index", "--remove", on_server / "src" / "store.py").exit_code == 0
    with closing(Manifest(find(on_server).manifest)) as manifest:
        assert points(server, on_server) == manifest.totals().chunks > 0


def test_a_search_finds_on_the_server_what_it_finds_here(on_server: Path, hoplite: Hoplite, tmp_path: Path) -> None:
    hoplite("index", on_server, "--workspace", tmp_path / "here", "--store", "embedded")
    there = json.loads(hoplite("search", QUESTION, "--json").stdout)["hits"]
    here = json.loads(hoplite("search", QUESTION, "--json", "--workspace", tmp_path / "here").stdout)["hits"]
    assert {hit["path"] for hit in there} == {hit["path"] for hit in here}


def test_the_first_stage_is_one_request_beside_that_for_rarities(
    on_server: Path, hoplite: Hoplite, server: Loopback
) -> None:
    server.asked.clear()
    hoplite("search", QUESTION, "--hops", "0", "--json")
    assert sum("/points/query" in asked.path for asked in server.asked) == 2


def test_status_and_doctor_show_the_server(on_server: Path, hoplite: Hoplite, server: Loopback) -> None:
    collection, count = place_of(on_server).collection, points(server, on_server)
    assert f"{server.url}, collection {collection}, Qdrant 1.20.0, {count} points" in hoplite("status").stdout
    state = json.loads(hoplite("status", "--json").stdout)["store"]
    assert state == {
        "place": {"url": server.url, "collection": collection},
        "version": "1.20.0",
        "points": count,
    }
    assert f"Qdrant 1.20.0, {count} points" in hoplite("doctor").stdout
    assert json.loads(hoplite("index", on_server, "--json").stdout)["collection"] == collection


def test_two_workspaces_on_one_server_do_not_mix(
    on_server: Path, hoplite: Hoplite, server: Loopback, tmp_path: Path
) -> None:
    other = station.write(tmp_path / "other" / "station")
    assert hoplite("index", other, "--store", server.url).exit_code == 0
    assert place_of(other).collection != place_of(on_server).collection
    (other / "guide.md").unlink()
    hoplite("index", other)
    assert points(server, other) < points(server, on_server)


def test_rebuilding_keeps_the_place_and_empties_it_first(on_server: Path, hoplite: Hoplite, server: Loopback) -> None:
    before, count = place_of(on_server), points(server, on_server)
    assert hoplite("index", on_server, "--rebuild").exit_code == 0
    assert (place_of(on_server), points(server, on_server)) == (before, count)
    assert any(asked.method == "DELETE" for asked in server.asked)


def test_the_settings_name_a_server_for_new_workspaces_only(
    folder: Path, hoplite: Hoplite, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    hoplite("index", folder)
    monkeypatch.setenv("HOPLITE_STORE", server.url)
    monkeypatch.setenv("HOPLITE_STORE_REPLICAS", "2")
    assert hoplite("index", folder).exit_code == 0
    assert place_of(folder) == HERE
    new = station.write(folder.parent / "new")
    assert hoplite("index", new).exit_code == 0
    assert place_of(new).url == server.url
    assert server.made[place_of(new).collection]["replication_factor"] == 2


# Shared ---------------------------------------------------------------------------------------------------------------


def test_machines_with_a_part_each_fill_one_collection_and_leave_each_others_alone(
    folder: Path, hoplite: Hoplite, server: Loopback, tmp_path: Path
) -> None:
    shared = ("--store", server.url, "--collection", "shared")
    machines = [(Part(n, 2), tmp_path / f"machine{n}") for n in (1, 2)]
    for number in range(6):
        (folder / f"note{number}.md").write_text(f"# Note {number}\n\nReadings are kept in drawer {number}.\n")
    files = {"guide.md", "src/settings.py", "src/store.py", *(f"note{number}.md" for number in range(6))}
    assert all(any(path in part for path in files) for part, _ in machines)
    for part, workspace in machines * 2:
        result = hoplite("index", folder, "--shard", f"{part.number}/2", "--workspace", workspace, *shared)
        assert result.exit_code == 0, result.stderr
    assert {str(hit.value) for hit in server.client.facet("shared", "path").hits} == files
    # One that reads everything takes over what is there: nothing is embedded again.
    whole = json.loads(hoplite("index", folder, "--workspace", tmp_path / "whole", *shared, "--json").stdout)
    assert (whole["documents"], whole["embedded"]) == (len(files), 0)
    # And each machine searches in all of it.
    for workspace in ("whole", "machine1"):
        found = hoplite("search", QUESTION, "-k", "20", "--workspace", tmp_path / workspace, "--json")
        assert {hit["path"] for hit in json.loads(found.stdout)["hits"]} == files


def test_what_one_machine_lost_is_noticed_beside_what_another_wrote(
    folder: Path, hoplite: Hoplite, server: Loopback, tmp_path: Path
) -> None:
    shared = ("--store", server.url, "--collection", "shared", "--json")
    mine, others = tmp_path / "mine", station.write(tmp_path / "others" / "station")
    for number in range(9):
        (others / f"note{number}.md").write_text(f"# Note {number}\n\nReadings are kept in drawer {number}.\n")
    first = json.loads(hoplite("index", folder / "src", "--workspace", mine, *shared).stdout)
    hoplite("index", others, "--workspace", tmp_path / "theirs", "--rebuild", *shared)
    for path in (others / "src").iterdir():
        path.unlink()
    hoplite("index", others, "--workspace", tmp_path / "theirs", *shared)
    again = json.loads(hoplite("index", folder / "src", "--workspace", mine, *shared).stdout)
    assert (again["repaired"], again["chunks"]) == (2, first["chunks"])


# Moved ----------------------------------------------------------------------------------------------------------------


def test_an_index_goes_to_a_server_and_back(
    indexed: Path, hoplite: Hoplite, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(indexed)
    before = hoplite("search", QUESTION, "--json").stdout
    moved = hoplite("store", "copy", indexed, server.url)
    assert moved.exit_code == 0, moved.stderr
    assert place_of(indexed).url == server.url
    assert json.loads(hoplite("search", QUESTION, "--json").stdout)["hits"]
    assert hoplite("index", indexed).stderr.count("3 unchanged") == 1
    (indexed / "guide.md").unlink()
    hoplite("index", indexed)
    hoplite("index", station.write(indexed.parent / "again"))  # what the guide was, once more
    (indexed / "guide.md").write_text((indexed.parent / "again" / "guide.md").read_text())
    hoplite("index", indexed)
    back = json.loads(hoplite("store", "copy", server.url, indexed, "--json").stdout)
    assert (back["target"], back["workspace"]) == ({"url": "", "collection": ""}, str(indexed / ".hoplite"))
    assert place_of(indexed) == HERE
    after = hoplite("search", QUESTION, "--json").stdout
    assert json.loads(after)["hits"] == json.loads(before)["hits"]


def test_copying_again_writes_nothing_and_a_stopped_copy_goes_on(
    indexed: Path, hoplite: Hoplite, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval import store_copy

    monkeypatch.setattr(store_copy, "BATCH", 1)
    writes = 0

    def second_write(number: int, asked: Asked) -> Fault | None:
        nonlocal writes
        writes += asked.method == "PUT" and asked.path.endswith("/points")
        return Fault(400) if writes == 2 else None

    server.faults = second_write
    stopped = hoplite("store", "copy", indexed, server.url)
    assert stopped.exit_code == 2
    assert one_line(stopped.stderr)
    assert place_of(indexed) == HERE
    server.faults = lambda number, asked: None
    on = json.loads(hoplite("store", "copy", indexed, server.url, "--json").stdout)
    assert on["written"] == on["chunks"] - 1
    with Loopback() as second:
        collection = place_of(indexed).collection
        for written in (on["chunks"], 0):
            across = hoplite("store", "copy", server.url, second.url, "--collection", collection, "--json")
            assert json.loads(across.stdout)["written"] == written
        ids = [record.id for record in server.client.scroll(collection, limit=99)[0]]
        old, new = (each.client.retrieve(collection, ids, True, True) for each in (server, second))
        assert [(one.id, one.payload, one.vector) for one in old] == [(one.id, one.payload, one.vector) for one in new]


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (("{folder}", "{folder}"), "both folders"),
        (("{url}", "{url}"), "--collection"),
        (("{url}", "{url}", "--collection", "x"), "Name another server"),
        (("{url}", "{folder}", "--collection", "none"), "no collection none"),
        (("{url}", "{folder}", "--collection", "a/b"), "no name of a collection"),
        (("{folder}", "ftp://x"), "no address"),
        (("{folder}/src/none", "{url}"), "no workspace"),
    ],
)
def test_ends_that_cannot_be_are_told_so(
    indexed: Path, hoplite: Hoplite, server: Loopback, ends: tuple[str, ...], said: str
) -> None:
    result = hoplite("store", "copy", *(end.format(folder=indexed, url=server.url) for end in ends))
    assert result.exit_code == 2
    assert one_line(result.stderr)
    assert said in result.stderr
    assert place_of(indexed) == HERE


def test_a_store_that_does_not_hold_the_index_is_not_taken(indexed: Path, hoplite: Hoplite, server: Loopback) -> None:
    result = hoplite("index", indexed, "--store", server.url)
    assert result.exit_code == 2
    assert one_line(result.stderr)
    assert "hoplite store copy" in result.stderr
    assert place_of(indexed) == HERE
    assert server.client.get_collections().collections == []


def test_a_server_that_moved_is_named_once(on_server: Path, hoplite: Hoplite, server: Loopback) -> None:
    with Loopback() as moved:
        moved.client = server.client
        assert hoplite("index", on_server, "--store", moved.url).exit_code == 0
        assert place_of(on_server).url == moved.url
        assert hoplite("search", QUESTION).exit_code == 0


# What fails -----------------------------------------------------------------------------------------------------------


def test_a_run_that_the_server_stops_goes_on_where_it_was(
    folder: Path, hoplite: Hoplite, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait(monkeypatch, HASTY)
    server.faults = lambda number, asked: Fault(507, b"disk full") if asked.path.endswith("/points") else None
    stopped = hoplite("index", folder, "--store", server.url)
    assert (stopped.exit_code, one_line(stopped.stderr)) == (2, True)
    assert "disk full" in stopped.stderr
    with closing(Manifest(find(folder).manifest)) as manifest:
        assert manifest.totals().documents == 0
    server.faults = lambda number, asked: None
    assert "3 new" in hoplite("index", folder).stderr
    assert place_of(folder).url == server.url


def test_what_a_killed_run_left_is_swept_where_the_next_one_looks(
    on_server: Path, hoplite: Hoplite, server: Loopback
) -> None:
    place, count = place_of(on_server), points(server, on_server)
    left = [prose("src/left.md", "Left", "By a run that was killed."), prose("../theirs.md", "Theirs", "Kept.")]
    with closing(server_link.connect(server.url)) as client:
        store = ServerStore(client, 64, collection=place.collection, embedder="hash-64", url=place.url)
        store.write(left, HashEmbedder().embed([chunk.text for chunk in left]))
    assert points(server, on_server) == count + 2
    assert hoplite("index", on_server).exit_code == 0
    assert points(server, on_server) == count + 1
    paths = {str(hit.value) for hit in server.client.facet(place.collection, "path").hits}
    assert "../theirs.md" in paths
    assert "src/left.md" not in paths


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(500, b"out of memory"), "answers 500: out of memory"),
        (Fault(429, headers={"Retry-After": "60"}), "answers 429"),
        (Fault(seconds=1.2), "did not answer within"),
        (Fault(body=b'{"resu', cut=True), "broke off"),
        (Fault(body=b"<html>"), "no answer of a Qdrant server"),
        (Fault(307, headers={"Location": "http://127.0.0.1:9/"}), "redirect"),
        (Fault(401, b'{"status":{"error":"Must provide an API key"}}'), "HOPLITE_QDRANT_API_KEY"),
    ],
    ids=["500", "429", "slow", "cut", "garbage", "redirect", "key"],
)
def test_a_search_over_a_failing_server_ends_in_one_line(
    on_server: Path, hoplite: Hoplite, server: Loopback, monkeypatch: pytest.MonkeyPatch, fault: Fault, said: str
) -> None:
    wait(monkeypatch, HASTY)
    server.faults = lambda number, asked: fault if "/points/query" in asked.path or fault.status == 401 else None
    begun = time.monotonic()
    result = hoplite("search", QUESTION)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr
    assert time.monotonic() - begun < 10


def test_a_server_that_is_down_or_lost_the_collection_is_told_by_every_command(
    on_server: Path, hoplite: Hoplite, server: Loopback
) -> None:
    server.client.delete_collection(place_of(on_server).collection)
    lost = hoplite("search", QUESTION)
    assert (lost.exit_code, one_line(lost.stderr)) == (2, True)
    assert "hoplite index" in lost.stderr
    assert hoplite("index", on_server).exit_code == 0, "what is lost is read again"
    searched = hoplite("search", QUESTION)
    assert searched.exit_code == 0, searched.stderr
    server.stop()
    for words in (("search", QUESTION), ("status",), ("index", on_server), ("symbols", "sweep")):
        down = hoplite(*words)
        assert (down.exit_code, one_line(down.stderr)) == (2, True), down.stderr
        assert f"No Qdrant server can be reached at {server.url}" in down.stderr
    assert "No Qdrant server can be reached" in hoplite("doctor").stdout


def test_another_embedder_is_refused_in_a_shared_collection(
    on_server: Path, hoplite: Hoplite, server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HashEmbedder, "name", "hash-other")
    other = ("--workspace", tmp_path / "other", "--store", server.url)
    result = hoplite("index", on_server, *other, "--collection", place_of(on_server).collection)
    assert (result.exit_code, one_line(result.stderr)) == (2, True)
    assert "holds vectors of hash-64 (64 numbers each); hash-other makes 64" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--store", "nowhere"), "no address of a Qdrant server"),
        (("--collection", "x"), "--store URL"),
        (("--store", "http://localhost:1", "--collection", "../x"), "no name of a collection"),
    ],
)
def test_words_that_name_no_store_are_refused(
    folder: Path, hoplite: Hoplite, words: tuple[str, ...], said: str
) -> None:
    result = hoplite("index", folder, *words)
    assert (result.exit_code, one_line(result.stderr)) == (2, True)
    assert said in result.stderr


# The key, and workspaces of others ------------------------------------------------------------------------------------


def test_the_key_is_sent_and_kept_nowhere(
    folder: Path, hoplite: Hoplite, server: Loopback, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    monkeypatch.setenv("HOPLITE_QDRANT_API_KEY", "very-secret")
    monkeypatch.chdir(folder)
    result = hoplite("index", folder, "--store", server.url)
    searched = hoplite("search", QUESTION)
    assert searched.exit_code == 0, searched.stderr
    assert {asked.headers.get("api-key") for asked in server.asked} == {"very-secret"}
    assert "very-secret" not in result.stdout + result.stderr
    written = [path for root in (folder, private_home) for path in root.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"very-secret" in path.read_bytes()]


def test_a_workspace_from_somebody_else_asks_no_server_that_was_never_named_here(
    on_server: Path, hoplite: Hoplite, server: Loopback, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (private_home / ".config" / "hoplite" / "servers").unlink()
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    server.asked.clear()
    for words in (("search", QUESTION), ("index", on_server)):
        result = hoplite(*words)
        assert (result.exit_code, one_line(result.stderr)) == (2, True)
        assert f"--store {server.url}" in result.stderr
    assert server.asked == []
    assert hoplite("index", on_server, "--store", server.url).exit_code == 0
    searched = hoplite("search", QUESTION)
    assert searched.exit_code == 0, searched.stderr


def test_a_server_that_the_workspaces_own_file_names_is_not_followed(
    folder: Path, hoplite: Hoplite, server: Loopback
) -> None:
    (folder / ".hoplite").mkdir()
    (folder / ".hoplite" / "hoplite.lock").touch()
    (folder / ".hoplite" / "config.toml").write_text(f'store = "{server.url}"\n')
    result = hoplite("index", folder)
    assert (result.exit_code, one_line(result.stderr)) == (2, True)
    assert "is not followed" in result.stderr
    assert server.asked == []


# A real server -------------------------------------------------------------------------------------------------------


@pytest.mark.server
@pytest.mark.skipif(SERVER not in os.environ, reason=f"no Qdrant server: set {SERVER}")
def test_a_real_server_takes_an_index_finds_in_it_and_gives_it_back(
    folder: Path, hoplite: Hoplite, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = os.environ[SERVER]
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    made = hoplite("index", folder, "--store", url, "--json")
    assert made.exit_code == 0, made.stderr
    report = json.loads(made.stdout)
    try:
        state = json.loads(hoplite("status", "--json").stdout)["store"]
        assert state["points"] == report["chunks"]
        hits = json.loads(hoplite("search", QUESTION, "--json").stdout)["hits"]
        assert {hit["path"] for hit in hits} == {"guide.md", "src/settings.py", "src/store.py"}
        assert "src/store.py" in hoplite("symbols", "sweep").stdout
        assert hoplite("index", folder, "--rebuild").exit_code == 0
        assert hoplite("store", "copy", url, folder).exit_code == 0
        assert json.loads(hoplite("search", QUESTION, "--json").stdout)["hits"]
        again = hoplite("store", "copy", folder, url, "--collection", report["collection"], "--json")
        assert json.loads(again.stdout)["written"] == 0
    finally:
        stores.clear(Place(stores.named(url), report["collection"]))
