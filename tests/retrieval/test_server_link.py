"""A server that fails in every way there is: one clear line, in time, and the key stays where it belongs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
from qdrant_client import QdrantClient

from ingest.errors import EmbedderMismatch, UserError, WorkspaceDamaged
from retrieval.server_link import Patience, checked, connect, require_version
from retrieval.store_server import ServerStore
from retrieval.stores import api_key
from retrieval.types import Counts, Layout, Scope
from tests.retrieval.loopback import Asked, Fault, Loopback
from tests.retrieval.made import prose

HASTY = Patience(connect=1.0, answer=1.0, whole=2.0, pause=0.02)
DIM = 4
CHUNK = prose("docs/a.md", "Herons", "A heron stands still.")
VECTOR = np.eye(1, DIM, dtype=np.float32)

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


def opened(server: Loopback, *, layout: Layout | None = None, dim: int = DIM) -> ServerStore:
    return ServerStore(connect(server.url, patience=HASTY), dim, url=server.url, layout=layout)


@pytest.fixture
def store(server: Loopback) -> Iterator[ServerStore]:
    made = opened(server, layout=Layout())
    server.asked.clear()
    yield made
    made.close()


def always(fault: Fault) -> Callable[[int, Asked], Fault | None]:
    return lambda number, asked: fault


def first(count: int, fault: Fault) -> Callable[[int, Asked], Fault | None]:
    return lambda number, asked: fault if number < count else None


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    said = " ".join(str(error.value).split())
    assert len(said) < 500
    return said


# What passes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500, b'{"status":{"error":"Service internal error"}}'),
        Fault(503),
        Fault(429),
        Fault(429, headers={"Retry-After": "0"}),
        Fault(seconds=1.2),
        Fault(body=b'{"result":', cut=True),
    ],
    ids=["500", "503", "429", "429 with a time", "slow", "cut"],
)
def test_what_passes_is_tried_again(server: Loopback, store: ServerStore, fault: Fault) -> None:
    server.faults = first(1, fault)
    store.write([CHUNK], VECTOR)
    server.faults = lambda number, asked: None
    assert store.chunks([CHUNK.id]) == {CHUNK.id: CHUNK}
    assert store.counts() == Counts(1, 1)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(500, b"out of disk"), "answers 500: out of disk"),
        (Fault(429, b"busy"), "answers 429: busy"),
        (Fault(seconds=1.2), "did not answer within"),
        (Fault(body=b" " * 200, drip=True), "did not answer within"),
        (Fault(body=b'{"result":', cut=True), "broke off"),
        (Fault(body=b"no gzip", headers={"Content-Encoding": "gzip"}), "broke off"),
    ],
    ids=["500", "429", "slow", "drip", "cut", "damaged"],
)
def test_what_does_not_pass_ends_in_time_with_what_it_was(
    server: Loopback, store: ServerStore, fault: Fault, said: str
) -> None:
    server.faults = always(fault)
    begun = time.monotonic()
    with pytest.raises(UserError, match=said) as error:
        store.write([CHUNK], VECTOR)
    assert time.monotonic() - begun < HASTY.whole + HASTY.answer + 0.5
    assert "Check that it runs" in one_line(error)
    assert len(server.asked) >= 2, "it was tried once only"
    server.faults = lambda number, asked: None
    assert store.counts() == Counts(0, 0)


def test_a_server_that_asks_for_a_pause_gets_it(server: Loopback, store: ServerStore) -> None:
    patience = Patience(connect=1, answer=1, whole=5, pause=0.001)
    client = connect(server.url, patience=patience)
    server.faults = first(1, Fault(429, headers={"Retry-After": "1"}))
    begun = time.monotonic()
    assert client.collection_exists("hoplite")
    assert 1.0 <= time.monotonic() - begun < 3
    client.close()


def test_a_pause_that_is_longer_than_the_whole_is_not_waited_for(server: Loopback, store: ServerStore) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    for after in ("3600", later):
        server.faults = always(Fault(429, headers={"Retry-After": after}))
        begun = time.monotonic()
        with pytest.raises(UserError, match="answers 429"):
            store.counts()
        assert time.monotonic() - begun < HASTY.whole


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_not_asked_again(server: Loopback, store: ServerStore, status: int) -> None:
    server.faults = always(Fault(status, b'{"status":{"error":"no"}}'))
    with pytest.raises(UserError, match=f"refused .*{status}") as error:
        store.counts()
    assert len(server.asked) == 1
    one_line(error)


def test_a_server_that_never_answered_is_not_waited_for() -> None:
    with Loopback() as gone:
        url = gone.url
    client = connect(url, patience=Patience(whole=30))
    begun = time.monotonic()
    with pytest.raises(UserError, match=f"No Qdrant server can be reached at {url}"):
        require_version(client, url)
    assert time.monotonic() - begun < 2
    client.close()


def test_a_server_that_goes_away_in_the_middle_is_waited_for(server: Loopback, store: ServerStore) -> None:
    store.counts()
    server.stop()
    with pytest.raises(UserError, match="cannot be reached any more"):
        store.counts()


# What is no Qdrant of ours --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"<html>It works!</html>", b"\xff\xfe", b"[]", b"{}", b'{"result": null}', b""])
def test_an_answer_that_is_none_of_qdrants_is_told_so(server: Loopback, store: ServerStore, body: bytes) -> None:
    server.faults = always(Fault(body=body))
    for ask in (store.counts, lambda: require_version(connect(server.url, patience=HASTY), server.url)):
        with pytest.raises(UserError, match="no answer of a Qdrant server") as error:
            ask()
        one_line(error)


@pytest.mark.parametrize("version", ["1.15.9", "0.11.0", "2.0.0", "unknown"])
def test_a_version_that_is_not_known_here_is_named(server: Loopback, version: str) -> None:
    server.version = version
    client = connect(server.url, patience=HASTY)
    with pytest.raises(UserError, match=f"is Qdrant {version}; Hoplite works with 1.16 and newer"):
        require_version(client, server.url)
    client.close()


def test_a_collection_that_is_not_there_is_told_and_not_made(server: Loopback) -> None:
    with pytest.raises(WorkspaceDamaged, match=r"no collection hoplite on .*hoplite index"):
        opened(server)
    assert not server.client.collection_exists("hoplite")


def test_a_collection_that_vanishes_before_a_search_is_told(server: Loopback, store: ServerStore) -> None:
    server.client.delete_collection("hoplite")
    with pytest.raises(UserError, match=r"404.*--collection"):
        store.lexical(["heron"], limit=3, scope=Scope())


def test_another_dimension_is_told_with_both_numbers(server: Loopback, store: ServerStore) -> None:
    with pytest.raises(EmbedderMismatch, match=r"4 numbers each.*makes 8"):
        opened(server, layout=Layout(), dim=8)


def test_another_embedder_of_the_same_length_is_told_by_its_name(server: Loopback) -> None:
    client = connect(server.url, patience=HASTY)
    ServerStore(client, DIM, embedder="static-a", url=server.url)
    with pytest.raises(EmbedderMismatch, match=r"static-a.*static-b makes 4"):
        ServerStore(client, DIM, embedder="static-b", url=server.url)
    client.close()


def test_a_collection_that_is_not_hoplites_is_left_alone(server: Loopback) -> None:
    from qdrant_client import models

    server.client.create_collection("hoplite", models.VectorParams(size=DIM, distance=models.Distance.COSINE))
    with pytest.raises(UserError, match="is not Hoplite's"):
        opened(server, layout=Layout())


def test_points_of_others_are_told_and_no_traceback(server: Loopback, store: ServerStore) -> None:
    from qdrant_client import models

    server.client.upsert("hoplite", [models.PointStruct(id=7, vector={"dense": [0.0] * DIM}, payload={"text": "x"})])
    with pytest.raises(UserError, match="point 7 that is not Hoplite's"):
        store.chunks([7])


def test_a_collection_that_was_half_made_gets_the_rest(server: Loopback) -> None:
    server.faults = lambda number, asked: Fault(400) if asked.path.endswith("/index") else None
    with pytest.raises(UserError):
        opened(server, layout=Layout())
    server.faults = lambda number, asked: None
    server.asked.clear()
    opened(server, layout=Layout()).close()
    assert sum(asked.path.endswith("/index") for asked in server.asked) == 5


def test_two_machines_that_make_the_collection_at_once_both_have_it(server: Loopback, store: ServerStore) -> None:
    # The second asked before the first had made it.
    server.faults = lambda number, asked: (
        Fault(body=b'{"result":{"exists":false}}') if asked.path.endswith("/exists") else None
    )
    opened(server, layout=Layout()).close()


def test_the_layout_is_asked_for_when_the_collection_is_made() -> None:
    made: dict[str, object] = {}

    class Noting(QdrantClient):
        def create_collection(self, *names: object, **options: object) -> bool:
            made.update(options)
            return super().create_collection(*names, **options)  # type: ignore[arg-type]

    layout = Layout(shards=4, replicas=2, consistency=1, payload_on_disk=True)
    ServerStore(Noting(":memory:"), DIM, layout=layout).close()
    asked = {"shard_number": 4, "replication_factor": 2, "write_consistency_factor": 1, "on_disk_payload": True}
    assert asked.items() <= made.items()
    assert Layout(shards=2).asked() == {"shard_number": 2}


# The key --------------------------------------------------------------------------------------------------------------


def test_the_key_goes_to_the_server_and_follows_no_redirect(server: Loopback) -> None:
    with Loopback() as elsewhere:
        server.faults = always(Fault(307, headers={"Location": f"{elsewhere.url}/"}))
        client = connect(server.url, "secret", HASTY)
        with pytest.raises(UserError, match="redirect") as error:
            require_version(client, server.url)
        client.close()
        assert elsewhere.asked == []
    assert [asked.headers["api-key"] for asked in server.asked] == ["secret"]
    assert "secret" not in str(error.value)


def test_the_key_goes_through_no_proxy(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = connect(server.url, "secret", HASTY)
        assert require_version(client, server.url) == "1.20.0"
        client.close()
        assert proxy.asked == []


@pytest.mark.parametrize("url", ["http://qdrant.example:6333", "http://10.0.0.7", "http://localhost.example"])
def test_a_key_goes_unencrypted_to_this_machine_only(url: str) -> None:
    with pytest.raises(UserError, match="unencrypted"):
        connect(url, "secret")
    connect(url).close()


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "nul\0"])
def test_a_key_that_no_header_carries_is_told_and_not_shown(key: str) -> None:
    with pytest.raises(UserError, match="Copy it again") as error:
        connect("http://localhost", key)
    assert key not in str(error.value)


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({}, None),
        ({"QDRANT_API_KEY": "b"}, "b"),
        ({"QDRANT_API_KEY": "b", "HOPLITE_QDRANT_API_KEY": "a\n"}, "a"),
        ({"QDRANT_API_KEY": "b", "HOPLITE_QDRANT_API_KEY": ""}, "b"),
    ],
)
def test_our_own_variable_comes_before_the_common_one(environ: dict[str, str], key: str | None) -> None:
    assert api_key(environ) == key


@pytest.mark.parametrize("url", ["https://qdrant.example", "http://localhost:6333", "http://[::1]:6333"])
def test_a_key_may_go_over_tls_or_loopback(url: str) -> None:
    connect(url, "secret").close()


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("http://LocalHost/", "http://localhost:6333"),
        ("https://qdrant.example:443/db/", "https://qdrant.example:443/db"),
        ("http://[::1]", "http://[::1]:6333"),
    ],
)
def test_an_address_is_written_in_one_way(url: str, written: str) -> None:
    assert checked(url) == written
    assert checked(written) == written


@pytest.mark.parametrize(
    "url", ["qdrant.example", "localhost:6333", "ftp://x", "http://", "http://x:99999", "http://x?y", "http://x#y", ""]
)
def test_what_is_no_address_is_told_how_one_looks(url: str) -> None:
    with pytest.raises(UserError, match="http://localhost:6333"):
        checked(url)


def test_a_login_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="HOPLITE_QDRANT_API_KEY") as error:
        checked("https://me:hidden@qdrant.example")
    assert "hidden" not in str(error.value)
