"""What was fetched is indexed like a folder, and every document knows where it came from."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest.errors import UserError
from ingest.fetching.address import GitAddress, WebAddress
from ingest.fetching.get import Web
from retrieval import indexing, sources
from retrieval.indexing import IndexReport, index, remove, workspace_for
from retrieval.library import Library
from retrieval.manifest import Manifest
from retrieval.sources import Fetched, Means
from retrieval.types import Source
from retrieval.workspace import find
from tests.ui.station import without_weights

REPO = "h.example/owner/repo"


def git(folder: Path, *words: str) -> str:
    names = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", *words], cwd=folder, env=os.environ | names, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    folder = tmp_path / "remote"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(folder, heron="# Heron\n\nThe heron stands still.\n", reed="# Reed\n\nReeds bend.\n")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a document of its own."""
    without_weights(monkeypatch)
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "own.md").write_text("# Own\n\nA note of one's own.\n")
    monkeypatch.chdir(folder)
    return folder


def fetched(remote: Path, ref: str = "", name: str = REPO) -> IndexReport:
    address = GitAddress(f"file://{remote}", name, ref)
    found = sources.fetch([address], workspace_for([]), means=Means(protocols="file"))
    return index([], fetched=found)


def test_a_repository_is_indexed_under_its_name_in_a_new_workspace(remote: Path, home: Path) -> None:
    report = fetched(remote)
    with Library(find(home)) as library:
        assert library.paths() == [f"{REPO}/heron.md", f"{REPO}/reed.md"]
        document = library.resolve(f"{REPO}/heron.md")
    assert document is not None
    assert "stands still" in document.text
    assert report.workspace == home / ".hoplite"


def test_fetching_again_reads_only_what_changed(remote: Path, home: Path) -> None:
    fetched(remote)
    (remote / "reed.md").unlink()
    second = commit(remote, moor="# Moor\n\nThe moor is wet.\n")
    applied = fetched(remote).applied
    assert (applied.written, applied.unchanged, applied.forgotten) == (1, 1, 1)
    with Library(find(home)) as library:
        source = library.source_of(f"{REPO}/heron.md")
    assert source is not None
    assert source.commit == second


def test_a_repository_is_left_alone_when_the_folder_around_is_indexed(remote: Path, home: Path) -> None:
    fetched(remote)
    report = index([home])
    assert (report.documents, report.applied.forgotten) == (3, 0)
    (home / "own.md").unlink()
    (home / "other.md").write_text("# Other\n")
    assert (fetched(remote).documents, index([home]).documents) == (3, 3)


def test_rebuilding_the_folder_around_keeps_what_was_fetched(remote: Path, home: Path) -> None:
    fetched(remote)
    assert index([home], rebuild=True).documents == 3
    with Library(find(home)) as library:
        assert [source.prefix for source in library.status().sources] == [".", REPO]


@pytest.mark.parametrize("word", [REPO, REPO + "/", "h.example/owner", f"https://{REPO}.git"])
def test_what_is_removed_goes_with_its_copy(remote: Path, home: Path, word: str) -> None:
    index([home])
    fetched(remote)
    assert len(remove([word]).paths) == 2
    assert not (home / ".hoplite" / "sources").exists()
    with Library(find(home)) as library:
        assert library.paths() == ["own.md"]
        assert [source.prefix for source in library.status().sources] == ["."]


def test_removing_the_folder_around_leaves_a_repository(remote: Path, home: Path) -> None:
    index([home])
    fetched(remote)
    assert remove([home]).paths == ("own.md",)
    with Library(find(home)) as library:
        assert [source.prefix for source in library.status().sources] == [REPO]


@pytest.mark.parametrize("other", ["h.example/owner", "h.example/owner/repo/deeper"])
def test_no_repository_is_put_into_another(remote: Path, home: Path, other: str) -> None:
    fetched(remote)
    with pytest.raises(UserError, match="one would lie in the other"):
        fetched(remote, name=other)


def test_a_repository_shows_no_paths_that_a_folder_has(remote: Path, home: Path) -> None:
    (home / REPO).mkdir(parents=True)
    with pytest.raises(UserError, match="by the same path"):
        fetched(remote)


def test_an_address_that_fails_leaves_no_workspace(home: Path) -> None:
    with pytest.raises(UserError, match="could not be fetched"):
        fetched(home / "nothing")
    assert not (home / ".hoplite").exists()


def test_a_login_is_in_no_file_of_the_workspace(remote: Path, home: Path) -> None:
    address = GitAddress(f"file://{remote}", REPO, login="Authorization: Basic c2VjcmV0")
    index([], fetched=sources.fetch([address], workspace_for([]), means=Means(protocols="file")))
    assert not [p for p in (home / ".hoplite").rglob("*") if p.is_file() and b"c2VjcmV0" in p.read_bytes()]


def test_a_folder_is_noted_with_its_commit_and_whether_it_changed(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_weights(monkeypatch)
    head = git(remote, "rev-parse", "HEAD")
    index([remote])
    with Library(find(remote)) as library:
        (clean,) = library.status().sources
    (remote / "heron.md").write_text("# Heron\n\nIt flew.\n")
    index([remote])
    with Library(find(remote)) as library:
        dirty = library.source_of("heron.md")
    assert dirty is not None
    assert (clean.prefix, clean.commit, clean.dirty, dirty.commit, dirty.dirty) == (".", head, False, head, True)


def test_a_folder_that_is_read_again_speaks_for_what_lies_below(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "manifest.sqlite")

    def folder(prefix: str, at: str) -> Source:
        return Source(prefix, "folder", f"/{prefix}", f"/{prefix}", at)

    web = Source("a_b/page.html", "web", "https://a_b/page.html", "https://a_b/page.html", "1")
    manifest.note_sources([folder("a_b", "1"), folder("axb/c", "1"), web])
    manifest.note_sources([folder("a_b/d", "2")])
    assert [source.prefix for source in manifest.sources()] == ["a_b", "a_b/d", "a_b/page.html", "axb/c"]
    manifest.note_sources([folder("a_b", "3")])
    assert [source.prefix for source in manifest.sources()] == ["a_b", "a_b/page.html", "axb/c"]
    manifest.note_sources([folder(".", "4")])
    assert [source.prefix for source in manifest.sources()] == [".", "a_b/page.html"]
    found = {path: manifest.source_of(path) for path in ("a_b/page.html", "a_b/d/e.md", "/elsewhere/x.md")}
    assert [source.fetched_at if source else None for source in found.values()] == ["1", "4", None]
    manifest.close()


# Pages ----------------------------------------------------------------------------------------------------------------

Serve = Callable[[str, str], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Puts a page at a path and returns its address; an empty text takes the page away."""
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = pages.get(self.path, "").encode()
            self.send_response(200 if text else 404)
            self.send_header("Content-Type", "text/xml" if self.path.endswith(".xml") else "text/html")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def put(path: str, text: str) -> str:
        pages[path] = text
        return f"http://site.example:{server.server_address[1]}{path}"

    yield put
    server.shutdown()
    server.server_close()
    thread.join()


def browsed(url: str) -> IndexReport:
    here = ipaddress.ip_address("127.0.0.1")
    web = Web(lookup=lambda host, port: [here], allowed=lambda address: address == here, pause=0)
    return index([], fetched=sources.fetch([WebAddress(url)], workspace_for([]), means=Means(web=web)))


def page(word: str) -> str:
    return f"<html><body><main><h1>{word}</h1><p>All about the {word} of the station.</p></main></body></html>"


def test_a_page_is_indexed_and_knows_its_address(serve: Serve, home: Path) -> None:
    url = serve("/build/heron.html", page("heron"))
    assert browsed(url).documents == 1
    with Library(find(home)) as library:
        (path,) = library.paths()
        source = library.source_of(path)
    assert path.endswith("/build/heron.html")
    assert source is not None
    assert (source.kind, source.url, source.commit) == ("web", url, "")


def test_a_sitemaps_pages_come_and_go_with_it(serve: Serve, home: Path) -> None:
    urls = [serve(f"/{word}.html", page(word)) for word in ("heron", "reed", "moor")]

    def listing(*listed: str) -> str:
        return f"<urlset>{''.join(f'<url><loc>{url}</loc></url>' for url in listed)}</urlset>"

    sitemap = serve("/sitemap.xml", listing(*urls))
    assert browsed(sitemap).documents == 3
    serve("/sitemap.xml", listing(*urls[:2]))
    serve("/reed.html", page("other reed"))
    report = browsed(sitemap)
    assert (report.documents, report.applied.written, report.applied.forgotten) == (2, 1, 1)
    serve("/reed.html", "")
    report = browsed(sitemap)
    assert (report.documents, [failure.reason for failure in report.failures]) == (1, ["status_404"])
    with Library(find(home)) as library:
        assert [source.asked for source in library.status().sources] == [sitemap]
    assert len(remove([sitemap]).paths) == 1
    assert not (home / ".hoplite" / "sources").exists()


def test_a_page_is_not_written_through_a_link(serve: Serve, home: Path, tmp_path: Path) -> None:
    url = serve("/docs/heron.html", page("heron"))
    browsed(url)
    (host,) = (home / ".hoplite" / "sources").iterdir()
    (host / "docs").rename(tmp_path / "outside")
    (host / "docs").symlink_to(tmp_path / "outside")
    serve("/docs/heron.html", page("other"))
    with pytest.raises(UserError, match="reached by a link"):
        browsed(url)
    assert "other" not in (tmp_path / "outside" / "heron.html").read_text()


def test_a_repository_is_not_written_through_a_link(remote: Path, home: Path, tmp_path: Path) -> None:
    fetched(remote)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious.md").touch()
    copy = home / ".hoplite" / "sources" / REPO
    copy.rename(tmp_path / "elsewhere")
    copy.symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match="reached by a link"):
        fetched(remote)
    remove([REPO])
    assert (tmp_path / "mine" / "precious.md").exists()


def test_a_page_by_a_private_name_is_one_clear_line(home: Path) -> None:
    with pytest.raises(UserError, match="no public address"):
        sources.fetch([WebAddress("http://localhost/")], workspace_for([]))


def test_a_manifest_that_was_tampered_with_deletes_nothing_outside(home: Path, tmp_path: Path) -> None:
    index([home])
    for prefix in ("../../own.md", "..", ".", str(home / "own.md")):
        sources.delete([Source(prefix, "git", "", "", "")], find(home))
    assert (home / "own.md").exists()
    assert indexing.index([home], fetched=Fetched()).documents == 1


def test_what_the_page_took_in_is_shown_as_an_upload_and_no_run_over_the_folder_forgets_it(home: Path) -> None:
    index([home])
    workspace = find(home)
    workspace.uploads.mkdir(parents=True)
    kept = workspace.uploads / "plan.md"
    kept.write_text("# Plan\n\nThe heron lands at noon.\n")
    index([], fetched=sources.added([kept], workspace), chosen=workspace.folder)
    index([home])
    with Library(workspace) as library:
        assert "uploads/plan.md" in library.paths()
        source = library.source_of("uploads/plan.md")
    assert source is not None
    assert (source.kind, source.url, source.asked) == ("upload", "plan.md", "uploads")
    assert remove(["uploads"], chosen=workspace.folder).paths == ("uploads/plan.md",)
    assert not kept.exists()


def test_only_what_lies_among_the_uploads_is_taken_for_one(home: Path, tmp_path: Path) -> None:
    index([home])
    workspace = find(home)
    (tmp_path / "secret.md").write_text("x")
    workspace.uploads.mkdir(parents=True)
    (workspace.uploads / "link.md").symlink_to(tmp_path / "secret.md")
    for file in (
        tmp_path / "secret.md",
        workspace.uploads / ".." / ".." / "config.toml",
        workspace.uploads / "link.md",
    ):
        with pytest.raises(UserError, match="not among the workspace's uploads"):
            sources.added([file], workspace)
