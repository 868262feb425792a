"""Pages come from public addresses only, bounded in bytes and time, and become files with safe names."""

from __future__ import annotations

import gzip
import ipaddress
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ingest.errors import FileFailed
from ingest.fetching import connect, get, web
from ingest.fetching.connect import IPAddress, Refused, is_public
from ingest.fetching.get import Known, Web
from ingest.fetching.page_names import Names

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Site:
    """A server on loopback that goes by the name site.example. `asked` are the requests, with their headers."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    tls: Callable[[ssl.SSLContext], None] = lambda context: None

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def url(self, path: str = "/", host: str = "site.example") -> str:
        return f"http://{host}:{self.port}{path}"

    def page(self, path: str, body: str | bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> None:
        self.answers[path] = answer(200, body.encode() if isinstance(body, str) else body, kind, **headers)

    def redirect(self, path: str, to: str) -> None:
        self.answers[path] = answer(302, b"", "text/html", Location=to)


def answer(status: int, body: bytes, kind: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def give(handler: BaseHTTPRequestHandler) -> None:
        unchanged = status == 200 and any(
            handler.headers.get(asked) == named.get(said)
            for asked, said in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
            if said in named
        )
        handler.send_response(304 if unchanged else status)
        for name, value in named.items():
            handler.send_header(name, value)
        if not unchanged:
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if not unchanged:
            handler.wfile.write(body)

    return give


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, dict(self.headers)))
            give = made.answers.get(self.path, answer(404, b"none", "text/plain"))
            with suppress(BrokenPipeError, ConnectionResetError):  # the client had enough, which is what is tested
                give(self)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.port = server.server_address[1]

    def speak(context: ssl.SSLContext) -> None:
        # A handshake in the thread of its request: one that fails is that client's own affair.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)

    made.tls = speak
    server.handle_error = lambda request, client: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def names(host: str, port: int) -> list[IPAddress]:
    """Every name that ends in .example is this machine; the others are what they say."""
    return [ipaddress.ip_address("127.0.0.1")] if host.endswith(".example") else connect.resolve(host, port)


LOCAL = Web(lookup=names, allowed=lambda address: str(address) == "127.0.0.1", seconds=10, pause=0)


def failed(url: str, means: Web = LOCAL) -> FileFailed:
    with pytest.raises(FileFailed) as failure:
        get.get(url, means)
    return failure.value


# Where it connects ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1", "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1", "fec0::1", "fc00::1",
        "fd00:ec2::254", "ff02::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "localhost", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_no_spelling_of_this_machine_is_connected_to(site: Site, host: str) -> None:
    assert failed(site.url("/", host), Web(seconds=5)).reason == "refused"
    assert site.asked == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(site: Site) -> None:
    both = [ipaddress.ip_address("8.8.8.8"), ipaddress.ip_address("127.0.0.1")]
    assert failed(site.url(), Web(lookup=lambda host, port: both)).reason == "refused"
    assert site.asked == []


def test_a_name_that_answers_otherwise_the_second_time_is_looked_up_once(site: Site) -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"])
    asked: list[str] = []

    def lookup(host: str, port: int) -> list[IPAddress]:
        asked.append(host)
        return [ipaddress.ip_address(next(answers))]

    site.page("/", "hello")
    assert get.get(site.url(), replace(LOCAL, lookup=lookup)).body == b"hello"
    assert asked == ["site.example"]


def test_each_hop_is_looked_up_and_checked_again(site: Site) -> None:
    answers = iter(["127.0.0.1", "10.0.0.1"])
    site.redirect("/", "/next")
    means = replace(LOCAL, lookup=lambda host, port: [ipaddress.ip_address(next(answers))])
    assert "10.0.0.1" in str(failed(site.url(), means))
    assert site.paths == ["/"]


def test_the_host_keeps_its_name_in_the_request(site: Site) -> None:
    site.page("/", "hello")
    get.get(site.url(), LOCAL)
    assert site.asked[0][1]["Host"] == f"site.example:{site.port}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl to make a certificate with")
def test_the_certificate_is_that_of_the_name_and_not_of_the_address(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=site.example -addext subjectAltName=DNS:site.example"
    made = ["openssl", *words.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    tls.sni_callback = lambda connection, name, context: asked.append(name)
    site.tls(tls)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(connect, "_tls", connect._tls.__wrapped__)  # the environment is read anew
    site.page("/", "hello")
    assert get.get(site.url().replace("http:", "https:"), LOCAL).body == b"hello"
    assert "Hostname mismatch" in str(failed(site.url("/", "other.example").replace("http:", "https:")))
    assert asked == ["site.example", "other.example"]


def test_no_proxy_of_the_environment_is_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.page("/", "hello")
    assert get.get(site.url(), LOCAL).body == b"hello"


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "file:///etc/passwd",
        "ftp://site.example/", "gopher://127.0.0.1/", "http://a:b@site.example/", "http://[", "//127.0.0.2/",
        "javascript:alert(1)", "data:text/html,x",
    ],
)  # fmt: skip
def test_a_redirect_to_what_must_not_be_asked_is_refused(site: Site, target: str) -> None:
    site.redirect("/", target)
    assert failed(site.url()).reason == "refused"
    assert site.paths == ["/"]


def test_a_redirect_from_https_to_http_is_refused() -> None:
    import httpx

    with pytest.raises(Refused, match="from https to http"):
        get._checked("http://site.example/", httpx.URL("https://site.example/"))


def test_redirects_end(site: Site) -> None:
    site.redirect("/", "/")
    assert "redirects more than 5 times" in str(failed(site.url()))
    assert len(site.asked) == 6


# How much, and how long -----------------------------------------------------------------------------------------------


def test_a_page_that_is_too_large_ends_early(site: Site) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    site.answers["/"] = endless
    assert failed(site.url(), replace(LOCAL, max_bytes=1_000_000)).reason == "too_large"


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_is_met_before_it_unfolds(site: Site, layers: int) -> None:
    bomb = gzip.compress(b"\0" * 300_000_000, 9)
    site.page("/", bomb if layers == 1 else gzip.compress(bomb), Content_Encoding=", ".join(["gzip"] * layers))
    assert failed(site.url()).reason == ("too_large" if layers == 1 else "refused")


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate"])
def test_an_encoding_that_was_not_asked_for_is_refused(site: Site, encoding: str) -> None:
    site.page("/", b"x", Content_Encoding=encoding)
    assert failed(site.url()).reason == "refused"


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"x" * 1000)[:-12]])
def test_damaged_gzip_is_refused(site: Site, body: bytes) -> None:
    site.page("/", body, Content_Encoding="gzip")
    assert failed(site.url()).reason == "refused"


def test_sound_gzip_is_read(site: Site) -> None:
    site.page("/", gzip.compress(b"hello" * 1000), Content_Encoding="gzip")
    assert get.get(site.url(), LOCAL).body == b"hello" * 1000


@pytest.mark.parametrize("where", ["body", "headers", "silent"])
def test_a_server_that_drips_is_left_in_time(site: Site, where: str) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        start = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
        handler.wfile.write(start + (b"\r\n" if where == "body" else b"X-Slow: "))
        for _ in range(40):
            time.sleep(0.1)
            if where != "silent":
                handler.wfile.write(b"x")

    site.answers["/"] = drip
    begun = time.monotonic()
    assert failed(site.url(), replace(LOCAL, seconds=0.5)).reason == "too_slow"
    assert time.monotonic() - begun < 2


def test_what_is_no_answer_of_the_web_is_a_failure(site: Site) -> None:
    def other(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-x\r\n\r\n")

    site.answers["/"] = other
    assert failed(site.url()).reason == "unreachable"


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind", "name"),
    [
        ("/", "text/html", "h/index.html"),
        ("/guide/", "text/html", "h/guide/index.html"),
        ("/guide", "text/html", "h/guide.html"),
        ("/guide.htm", "text/html", "h/guide.htm"),
        ("/v1.2", "text/html", "h/v1.2.html"),
        ("/x.php", "text/html", "h/x.php.html"),
        ("/notes.rst", "text/plain", "h/notes.rst"),
        ("/notes", "text/plain", "h/notes.txt"),
        ("/paper.pdf", "application/pdf", "h/paper.pdf"),
        ("/a.html", "application/pdf", "h/a.html.pdf"),
    ],
)
def test_a_name_reads_like_its_address(path: str, kind: str, name: str) -> None:
    assert Names().name(f"https://h{path}", kind) == name


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/%2e%2e/%2e%2e/x", "/..%2f..%2fx", "/a/..\\..\\x", "/.git/config", "/%00", "/a%0ab",
        "/\u202ex", "/" + "a" * 5000, "/" + "a/" * 500, "/?q=../../x", "/~/.ssh/id", "/.hoplite/x", "//x//", "/%ff%fe",
        "/\u2028", "/.", "/..", "/...", "/ ", "/CON", "/a:b",
    ],
)  # fmt: skip
def test_no_address_leads_out_of_the_folder(path: str, tmp_path: Path) -> None:
    name = Names().name(f"https://h.example{path}", "text/html")
    assert name is not None
    assert (tmp_path / name).resolve().is_relative_to(tmp_path / "h.example")
    assert all(part and not part.startswith(".") and len(part.encode()) < 255 for part in name.split("/"))
    assert name.isprintable()
    assert len(name) < 1500


def test_names_that_would_meet_are_kept_apart() -> None:
    found = Names(["h/taken"])
    given = [
        found.name(f"https://h/{path}", "text/html")
        for path in ("A.html", "a.html", "a.html/b", "q?x=1", "q?x=2", "taken/page", "q")
    ]
    assert len({str(name).casefold() for name in given}) == len(given)
    assert not [a for a in given for b in [*given, "h/taken"] if str(a).startswith(f"{b}/")]


def test_a_page_is_kept_and_asked_for_again_only_if_it_changed(site: Site, tmp_path: Path) -> None:
    site.page("/a.html", "one", ETag='"1"')
    (first,) = web.fetch(site.url("/a.html"), tmp_path, web=LOCAL).pages
    file = tmp_path / f"site.example_{site.port}" / "a.html"
    before = file.stat().st_mtime_ns
    (second,) = web.fetch(site.url("/a.html"), tmp_path, before=[first], web=LOCAL).pages
    assert (first, file.stat().st_mtime_ns) == (second, before)
    assert site.asked[1][1]["If-None-Match"] == '"1"'
    site.page("/a.html", "two", ETag='"2"')
    (third,) = web.fetch(site.url("/a.html"), tmp_path, before=[second], web=LOCAL).pages
    assert (file.read_text(), third.known) == ("two", Known('"2"'))


def test_a_copy_that_went_away_is_fetched_whole(site: Site, tmp_path: Path) -> None:
    site.page("/a.html", "one", ETag='"1"')
    (first,) = web.fetch(site.url("/a.html"), tmp_path, web=LOCAL).pages
    (tmp_path / first.name).unlink()
    web.fetch(site.url("/a.html"), tmp_path, before=[first], web=LOCAL)
    assert (tmp_path / first.name).read_text() == "one"


@pytest.mark.parametrize("kind", ["image/png", "application/zip", "application/octet-stream", "text/css", ""])
def test_a_type_that_is_not_kept_is_said(site: Site, tmp_path: Path, kind: str) -> None:
    site.page("/x", b"x", kind)
    with pytest.raises(FileFailed, match="only text, PDF and office files"):
        web.fetch(site.url("/x"), tmp_path, web=LOCAL)
    assert list(tmp_path.iterdir()) == []


# Sitemaps -------------------------------------------------------------------------------------------------------------


def sitemap(*urls: str, of: str = "url") -> str:
    outer = "urlset" if of == "url" else "sitemapindex"
    entries = "".join(f"<{of}><loc>{url}</loc></{of}>" for url in urls)
    return f'<?xml version="1.0"?><{outer} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{outer}>'


def listed(site: Site, *paths: str) -> None:
    site.page("/sitemap.xml", sitemap(*(site.url(path) for path in paths)), "application/xml")
    for path in paths:
        if path not in site.answers:
            site.page(path, f"page {path}")


def kept(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_the_pages_of_a_sitemap_are_kept(site: Site, tmp_path: Path) -> None:
    listed(site, "/a.html", "/b.html")
    done: list[tuple[int, int]] = []
    found = web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL, on_page=lambda *at: done.append(at))
    assert [page.url for page in found.pages] == [site.url("/a.html"), site.url("/b.html")]
    assert (kept(tmp_path), done) == ({"a.html", "b.html"}, [(1, 2), (2, 2)])


def test_a_packed_sitemap_is_unpacked(site: Site, tmp_path: Path) -> None:
    site.page("/a.html", "a")
    site.page("/sitemap.xml.gz", gzip.compress(sitemap(site.url("/a.html")).encode()), "application/x-gzip")
    assert len(web.fetch(site.url("/sitemap.xml.gz"), tmp_path, web=LOCAL).pages) == 1


def test_robots_off_host_and_too_many_pages_are_counted(site: Site, tmp_path: Path) -> None:
    site.page("/robots.txt", "User-agent: *\nDisallow: /private/\n", "text/plain")
    listed(site, "/a.html", "/private/b.html", "/c.html", "/d.html")
    site.page("/sitemap.xml", sitemap(
        site.url("/a.html"), site.url("/private/b.html"), "http://other.example/x", "file:///etc/passwd",
        site.url("/c.html"), site.url("/c.html"), site.url("/d.html"),
    ), "text/xml")  # fmt: skip
    found = web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL, max_pages=2)
    assert found.skipped == {"robots": 1, "off_host": 2, "beyond_max_pages": 1}
    assert kept(tmp_path) == {"a.html", "c.html"}
    assert "/private/b.html" not in site.paths


def test_a_sitemap_of_ten_thousand_pages_is_cut(site: Site, tmp_path: Path) -> None:
    site.page("/sitemap.xml", sitemap(*(site.url(f"/{number}.html") for number in range(10_000))), "text/xml")
    found = web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL, max_pages=3)
    assert found.skipped == {"beyond_max_pages": 9_997}
    assert len(site.asked) == 5


def test_a_host_whose_robots_cannot_be_had_is_not_crawled(site: Site, tmp_path: Path) -> None:
    listed(site, "/a.html")
    site.answers["/robots.txt"] = answer(503, b"", "text/plain")
    with pytest.raises(FileFailed, match=r"robots\.txt"):
        web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL)
    assert "/a.html" not in site.paths


@pytest.mark.parametrize("to", ["http://other.example/x", "/private/x"])
def test_a_listed_page_may_not_lead_off_the_host_or_round_its_robots(site: Site, tmp_path: Path, to: str) -> None:
    site.page("/robots.txt", "User-agent: hoplite\nDisallow: /private/\n", "text/plain")
    site.redirect("/a.html", to)
    listed(site, "/a.html")
    ((url, failure),) = web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL).failures
    assert (url, failure.reason) == (site.url("/a.html"), "refused")
    assert "/private/x" not in site.paths


BOMB = '<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY a "xxxxxxxxxx">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "body",
    [
        BOMB + "]><urlset><url><loc>&i;</loc></url></urlset>",
        '<!DOCTYPE urlset [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>&x;</loc></url></urlset>',
        '<!DOCTYPE urlset SYSTEM "http://site.example/x.dtd"><urlset/>',
        "<urlset><url>",
    ],
)
def test_a_sitemap_with_entities_or_without_an_end_is_refused(site: Site, tmp_path: Path, body: str) -> None:
    site.page("/sitemap.xml", body, "application/xml")
    with pytest.raises(FileFailed, match=r"declares|no sound XML"):
        web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL)
    assert site.paths == ["/sitemap.xml"]


def test_sitemaps_are_followed_three_deep_and_never_in_circles(site: Site, tmp_path: Path) -> None:
    for depth in range(6):
        below = [site.url(f"/{depth + 1}.xml"), site.url("/0.xml"), site.url(f"/pages{depth}.xml")]
        site.page(f"/{depth}.xml", sitemap(*below, of="sitemap"), "text/xml")
        site.page(f"/pages{depth}.xml", sitemap(site.url(f"/p{depth}.html")), "text/xml")
        site.page(f"/p{depth}.html", "x")
    found = web.fetch(site.url("/0.xml"), tmp_path, web=LOCAL)
    assert {urlsplit(page.url).path for page in found.pages} == {"/p0.html", "/p1.html", "/p2.html"}
    assert "/4.xml" not in site.paths


def test_a_page_that_is_gone_is_deleted_and_one_that_fails_stays(site: Site, tmp_path: Path) -> None:
    listed(site, "/a.html", "/b.html", "/c.html", "/d.html")
    first = web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL)
    listed(site, "/a.html", "/b.html", "/c.html")
    del site.answers["/b.html"]
    site.answers["/c.html"] = answer(500, b"", "text/html")
    second = web.fetch(site.url("/sitemap.xml"), tmp_path, before=first.pages, web=LOCAL)
    assert [urlsplit(page.url).path for page in second.kept] == ["/c.html"]
    assert [failure.reason for _, failure in second.failures] == ["status_404", "status_500"]
    assert kept(tmp_path) == {"a.html", "c.html"}


def test_no_sitemap_is_followed_once_there_are_enough_pages(site: Site, tmp_path: Path) -> None:
    site.page("/0.xml", sitemap(site.url("/1.xml"), site.url("/2.xml"), of="sitemap"), "text/xml")
    site.page("/1.xml", sitemap(*(site.url(f"/{n}.html") for n in "abc")), "text/xml")
    below = [site.url(f"/{n}.xml") for n in range(200)]
    site.page("/2.xml", sitemap(*below, of="sitemap"), "text/xml")
    site.page("/a.html", "a")
    found = web.fetch(site.url("/0.xml"), tmp_path, web=LOCAL, max_pages=1)
    assert [page.url for page in found.pages] == [site.url("/a.html")]
    assert found.skipped == {"beyond_max_pages": 2, "sitemap_not_followed": 197}


def test_at_most_two_pages_are_asked_for_at_once(site: Site, tmp_path: Path) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1
        answer(200, b"x", "text/html")(handler)

    paths = [f"/{number}.html" for number in range(6)]
    site.answers |= dict.fromkeys(paths, slow)
    listed(site, *paths)
    web.fetch(site.url("/sitemap.xml"), tmp_path, web=LOCAL)
    assert most == 2
