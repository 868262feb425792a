"""What every store must do, whichever engine is under it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ingest.errors import EmbedderMismatch, UserError
from ingest.ids import chunk_id
from ingest.types import Chunk, Kind
from retrieval.protocols import EVERY, AsksAtOnce, Store, Vectors
from retrieval.server_link import connect
from retrieval.store_edge import EdgeStore, HeldStore
from retrieval.store_server import ServerStore
from retrieval.stores import api_key
from retrieval.tokens import tokens
from retrieval.types import Counts, Scope
from tests.retrieval.loopback import Loopback

# The client's in-memory stand-in says that it needs no payload index; a server does.
pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")

DIM = 8
ALL = Scope()
SERVER = "HOPLITE_TEST_QDRANT_URL"


def edge(folder: Path) -> Iterator[Store]:
    yield EdgeStore(folder / "store", DIM)


def held(folder: Path) -> Iterator[Store]:
    yield HeldStore(DIM)


def memory(folder: Path) -> Iterator[Store]:
    from qdrant_client import QdrantClient

    yield ServerStore(QdrantClient(":memory:"), DIM)


def loopback(folder: Path) -> Iterator[Store]:
    with Loopback() as running:
        yield ServerStore(connect(running.url), DIM, url=running.url)


def server(folder: Path) -> Iterator[Store]:
    if SERVER not in os.environ:
        pytest.skip(f"no Qdrant server: set {SERVER}")
    client, collection = connect(os.environ[SERVER], api_key()), f"hoplite-test-{uuid.uuid4().hex}"
    yield ServerStore(client, DIM, collection=collection, url=os.environ[SERVER])
    client = connect(os.environ[SERVER], api_key())
    client.delete_collection(collection)
    client.close()


@pytest.fixture(
    params=[edge, held, memory, loopback, pytest.param(server, marks=pytest.mark.server)],
    ids=lambda make: make.__name__,
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    make: Callable[[Path], Iterator[Store]] = request.param
    making = make(tmp_path)
    made = next(making)
    yield made
    made.close()
    next(making, None)


def a_chunk(
    text: str,
    path: str = "docs/a.md",
    *,
    kind: Kind = "prose",
    line: int = 1,
    defines: tuple[str, ...] = (),
    mentions: tuple[str, ...] = (),
    calls: tuple[str, ...] = (),
) -> Chunk:
    return Chunk(
        id=chunk_id(path, text, 0),
        path=path,
        kind=kind,
        language="markdown",
        title="",
        header=path,
        text=text,
        start_line=line,
        end_line=line + 1,
        defines=defines,
        mentions=mentions,
        calls=calls,
    )


def vectors(n: int, seed: int = 0) -> Vectors:
    made: Vectors = np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def put(store: Store, *chunks: Chunk) -> None:
    store.write(chunks, vectors(len(chunks)))


def found(store: Store, query: str, scope: Scope = ALL) -> list[int]:
    return [s.id for s in store.lexical(tokens(query), limit=10, scope=scope)]


def test_an_empty_store_finds_nothing(store: Store) -> None:
    assert store.counts() == Counts(0, 0)
    assert store.ids() == set()
    assert store.dense(vectors(1)[0], limit=5, scope=ALL) == []
    assert found(store, "heron") == []
    assert store.idf(["heron"]) == {}
    assert store.chunks([1]) == {} == store.vectors([1])


def test_a_chunk_comes_back_as_it_was_written(store: Store) -> None:
    chunk = a_chunk("Größe — “naïve” \0 \U0001f9a9", kind="code", defines=("Größe",), mentions=("a b", 'x"y'))
    put(store, chunk)
    assert store.chunks([chunk.id, 5]) == {chunk.id: chunk}


def test_a_vector_comes_back_as_it_was_written(store: Store) -> None:
    chunks = [a_chunk(f"text {i}") for i in range(3)]
    store.write(chunks, vectors(3))
    here = store.vectors([c.id for c in chunks])
    assert all(np.allclose(here[c.id], v, atol=1e-6) for c, v in zip(chunks, vectors(3), strict=True))
    assert here[chunks[0].id].dtype == np.float32


def test_writing_twice_changes_nothing(store: Store) -> None:
    chunks = [a_chunk(f"heron number {i}", defines=("heron",)) for i in range(4)]
    put(store, *chunks)
    before = store.lexical(["heron", "2"], limit=9, scope=ALL), store.counts(), store.idf(["heron"])
    put(store, *chunks)
    assert (store.lexical(["heron", "2"], limit=9, scope=ALL), store.counts(), store.idf(["heron"])) == before
    assert len(store.definers(["heron"], common=4)["heron"]) == 4


def test_writing_again_replaces_lines_and_names(store: Store) -> None:
    chunk = a_chunk("heron", defines=("old", "kept"), mentions=("one",))
    put(store, chunk)
    moved = replace(chunk, start_line=7, end_line=9, defines=("kept", "new"), mentions=("two",))
    put(store, moved)
    assert store.chunks([chunk.id]) == {chunk.id: moved}
    assert store.definers(["old", "kept", "new"], common=5) == {"kept": (chunk.id,), "new": (chunk.id,)}
    assert store.mentioners(["one", "two"], common=5) == {"two": (chunk.id,)}


def test_writing_again_replaces_the_text(store: Store) -> None:
    chunk = a_chunk("heron")
    put(store, chunk, a_chunk("egret"), a_chunk("stork"))
    put(store, replace(chunk, text="bittern"))
    assert found(store, "heron") == []
    assert found(store, "bittern") == [chunk.id]


def test_what_is_removed_is_found_by_nothing(store: Store) -> None:
    gone, stays = a_chunk("heron", defines=("x",), mentions=("y",)), a_chunk("bittern", defines=("x",))
    put(store, gone, stays)
    store.remove([gone.id, 12345])
    assert store.ids() == {stays.id}
    assert store.counts() == Counts(1, 1)
    assert found(store, "heron") == []
    assert [s.id for s in store.dense(vectors(1)[0], limit=5, scope=ALL)] == [stays.id]
    assert store.definers(["x"], common=5) == {"x": (stays.id,)}
    assert store.mentioners(["y"], common=5) == {}
    assert store.defined(["x", "y"]) == {"x"}


def test_removing_nothing_is_no_error(store: Store) -> None:
    store.remove([])
    store.write([], vectors(0))
    assert store.counts() == Counts(0, 0)


def test_dense_is_cosine_best_first(store: Store) -> None:
    chunks = [a_chunk(f"text {i}") for i in range(50)]
    store.write(chunks, vectors(50))
    query = vectors(1, seed=9)[0]
    exact = vectors(50) @ query
    got = store.dense(query, limit=10, scope=ALL)
    assert [s.id for s in got] == [chunks[i].id for i in np.argsort(-exact)[:10]]
    assert np.allclose([s.score for s in got], np.sort(exact)[::-1][:10], atol=1e-5)


def test_dense_breaks_ties_by_chunk_id_before_the_cut(store: Store) -> None:
    chunks = [a_chunk(f"text {i}") for i in range(20)]
    store.write(chunks, np.repeat(vectors(1), 20, axis=0))
    got = store.dense(vectors(1)[0], limit=5, scope=ALL)
    assert [s.id for s in got] == sorted(c.id for c in chunks)[:5]


def test_lexical_breaks_ties_by_chunk_id_before_the_cut(store: Store) -> None:
    chunks = [a_chunk("heron", f"docs/{i}.md") for i in range(20)]
    put(store, *chunks, *(a_chunk(f"other {i}") for i in range(30)))
    got = store.lexical(["heron"], limit=5, scope=ALL)
    assert [s.id for s in got] == sorted(c.id for c in chunks)[:5]


def test_lexical_prefers_the_rarer_term(store: Store) -> None:
    rare = a_chunk("bittern")
    put(store, rare, *(a_chunk(f"heron {i}") for i in range(5)), *(a_chunk(f"egret {i}") for i in range(9)))
    assert found(store, "heron bittern")[0] == rare.id
    weights = store.idf(["heron", "bittern", "stork"])
    assert weights.keys() == {"heron", "bittern"}
    assert weights["bittern"] > weights["heron"]


def test_a_term_asked_twice_counts_twice(store: Store) -> None:
    put(store, *(a_chunk(f"bird {name}") for name in ("heron", "egret", "stork", "ibis", "crane")))
    once = store.lexical(["heron"], limit=1, scope=ALL)[0].score
    assert store.lexical(["heron", "heron"], limit=1, scope=ALL)[0].score == pytest.approx(2 * once)


def test_a_header_is_searched_too(store: Store) -> None:
    chunk = a_chunk("nothing here", "docs/heron_settings.md")
    put(store, chunk, a_chunk("other"), a_chunk("another"))
    assert found(store, "settings") == [chunk.id]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(path="src/*"), {"src/a.py", "src/deep/b.py", "src/notes.md"}),
        (Scope(path="*.py"), {"src/a.py", "src/deep/b.py"}),
        (Scope(kind="prose"), {"docs/c.md", "src/notes.md"}),
        (Scope(path="src/*", kind="prose"), {"src/notes.md"}),
        (Scope(path="src/[!a]*.md"), {"src/notes.md"}),
        (Scope(path="nowhere/*"), set()),
        (Scope(within=("docs/*", "*.py")), {"docs/c.md", "src/a.py", "src/deep/b.py"}),
        (Scope(path="src/*", within=("docs/*", "*.md")), {"src/notes.md"}),
    ],
)
def test_a_scope_bounds_both_searches(store: Store, scope: Scope, expected: set[str]) -> None:
    paths: list[tuple[str, Kind]] = [
        ("src/a.py", "code"),
        ("src/deep/b.py", "code"),
        ("src/notes.md", "prose"),
        ("docs/c.md", "prose"),
    ]
    chunks = {c.id: c for c in (a_chunk("heron", path, kind=kind) for path, kind in paths)}
    put(store, *chunks.values(), *(a_chunk(f"other {i}", "x.txt", kind="code") for i in range(9)))
    assert {chunks[i].path for i in found(store, "heron", scope)} == expected
    dense = {s.id for s in store.dense(vectors(1)[0], limit=50, scope=scope)}
    assert {chunks[i].path for i in dense if i in chunks} == expected


def test_a_scope_sees_what_was_written_after_it_was_first_used(store: Store) -> None:
    scope = Scope(path="src/*")
    put(store, a_chunk("heron", "docs/a.md"), a_chunk("x"), a_chunk("y"))
    assert found(store, "heron", scope) == []
    new = a_chunk("heron", "src/new.md")
    put(store, new, a_chunk("z"))
    assert found(store, "heron", scope) == [new.id]


def test_names_are_looked_up_both_ways(store: Store) -> None:
    a = a_chunk("a", defines=("f",), mentions=("g",))
    b = a_chunk("b", defines=("g", "f"), mentions=("f",))
    put(store, a, b)
    both = tuple(sorted((a.id, b.id)))
    assert store.definers(["f", "g", "h"], common=9) == {"f": both, "g": (b.id,)}
    assert store.mentioners(["f", "g"], common=9) == {"f": (b.id,), "g": (a.id,)}


def test_a_name_with_more_chunks_than_common_is_absent(store: Store) -> None:
    put(store, *(a_chunk(f"t{i}", defines=("get",), mentions=("self",)) for i in range(4)))
    assert len(store.definers(["get"], common=4)["get"]) == 4
    assert store.definers(["get"], common=3) == {}
    assert store.mentioners(["self"], common=3) == {}


def test_callers_are_those_that_mention_a_name_or_call_something_that_ends_with_it(store: Store) -> None:
    mentions = a_chunk("a", mentions=("save", "load"))
    calls = a_chunk("b", calls=("django.db.Model.save", ".load"), mentions=("django.db.Model",))
    both = a_chunk("c", calls=(".save",), mentions=("save",))
    neither = a_chunk("d", calls=("save.all", "saved", "resave"), defines=("save",), mentions=("save.all",))
    put(store, mentions, calls, both, neither)
    assert store.callers(["save"]) == {mentions.id, calls.id, both.id}
    assert store.callers(["load", "unknown"]) == {mentions.id, calls.id}
    assert store.callers(["unknown"]) == set()
    assert store.callers([]) == set()


def test_callers_follow_what_is_written_again_and_removed(store: Store) -> None:
    first, second = a_chunk("a", calls=(".save",)), a_chunk("b", mentions=("save",))
    put(store, first, second)
    put(store, replace(first, calls=(".load",)))
    assert store.callers(["save"]) == {second.id}
    assert store.callers(["load"]) == {first.id}
    store.remove([second.id])
    assert store.callers(["save"]) == set()


def test_every_definer_of_a_name_is_there_where_none_are_too_many(store: Store) -> None:
    chunks = [a_chunk(f"t{i}", defines=("get",), mentions=("self",)) for i in range(30)]
    put(store, *chunks)
    everyone = tuple(sorted(chunk.id for chunk in chunks))
    assert store.definers(["get", "none"], common=EVERY) == {"get": everyone}
    assert store.mentioners(["self"], common=EVERY) == {"self": everyone}


def test_strays_are_what_nobody_owns_and_are_looked_for_where_they_are_covered(store: Store) -> None:
    ours, stray = a_chunk("ours", "docs/a.md"), a_chunk("stray", "docs/b.md")
    put(store, ours, stray)
    assert store.strays({ours.id, 7}, lambda path: True) == [stray.id]
    assert store.strays({ours.id, stray.id}, lambda path: True) == []


def test_both_lists_at_once_are_what_each_question_finds_alone(store: Store) -> None:
    if not isinstance(store, AsksAtOnce):
        pytest.skip("this store is asked one thing at a time")
    # Ties over the end of both lists: twelve texts alike, with one vector.
    chunks = [a_chunk("heron", f"docs/{i}.md") for i in range(12)] + [a_chunk(f"egret {i}", "x.txt") for i in range(20)]
    store.write(chunks, np.concatenate([np.repeat(vectors(1), 12, axis=0), vectors(20, seed=1)]))
    for scope in (ALL, Scope(path="docs/*")):
        words, near = store.at_once(["heron", "egret"], vectors(1)[0], lexical=5, dense=6, scope=scope)
        assert words == store.lexical(["heron", "egret"], limit=5, scope=scope)
        assert near == store.dense(vectors(1)[0], limit=6, scope=scope)
        assert (len(words), len(near)) == (5, 6)
    assert store.at_once([], vectors(1)[0], lexical=5, dense=6, scope=ALL)[0] == []


def test_defined_picks_the_known_among_thousands(store: Store) -> None:
    put(store, a_chunk("t", defines=("heron", "blue heron"), mentions=("egret",)))
    asked = (name for name in [*(f"unknown {i}" for i in range(600)), "blue heron", "heron", "egret", "heron"])
    assert store.defined(asked) == {"heron", "blue heron"}


def test_no_pair_of_words_that_a_defined_name_begins_with_is_kept_back(store: Store) -> None:
    put(store, a_chunk("t", defines=("blue heron of the north", "heron")), a_chunk("u", defines=("salt mine",)))
    pairs = ["blue heron", "salt mine", "heron of", "mine shaft", ""]
    assert {"blue heron", "salt mine"} <= set(store.begun(pairs)) <= set(pairs)


def test_a_document_comes_in_the_order_of_its_lines(store: Store) -> None:
    chunks = [a_chunk(f"t{line}", line=line) for line in (30, 1, 12)]
    put(store, *chunks, a_chunk("t", "docs/other.md"))
    assert [c.start_line for c in store.in_document("docs/a.md")] == [1, 12, 30]
    assert store.in_document("docs/none.md") == []


def test_optimizing_changes_no_result(store: Store) -> None:
    for start in range(0, 40, 4):
        put(store, *(a_chunk(f"heron {i} bird{i % 3}") for i in range(start, start + 4)))
    store.remove([a_chunk("heron 3 bird0").id])
    before = store.lexical(["heron", "bird1"], limit=50, scope=ALL), store.dense(vectors(1)[0], limit=50, scope=ALL)
    store.optimize()
    after = store.lexical(["heron", "bird1"], limit=50, scope=ALL), store.dense(vectors(1)[0], limit=50, scope=ALL)
    assert after == before
    assert store.counts() == Counts(39, 39)


def test_as_many_vectors_as_chunks_are_demanded(store: Store) -> None:
    with pytest.raises(ValueError, match="2 vectors"):
        store.write([a_chunk("t")], vectors(2))


def test_closing_twice_is_no_error(store: Store) -> None:
    store.close()
    store.close()


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [("http://qdrant.example:6333", "secret", "unencrypted"), ("qdrant.example", None, "http://localhost:6333")],
)
def test_an_address_that_is_unsafe_or_none_is_refused(url: str, key: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        connect(url, key)


def test_a_server_that_does_not_answer_is_told_in_one_line() -> None:
    client = connect("http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"No Qdrant server .* Check that it runs"):
        ServerStore(client, DIM)
    client.close()


def test_a_collection_with_other_vectors_is_refused() -> None:
    from qdrant_client import QdrantClient

    client = QdrantClient(":memory:")
    ServerStore(client, DIM)
    with pytest.raises(EmbedderMismatch, match="8 numbers"):
        ServerStore(client, 16)
    client.close()
