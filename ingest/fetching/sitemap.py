"""What a sitemap lists, and what a robots.txt leaves of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.etree.ElementTree import Element, ParseError

from ingest.errors import FileFailed
from ingest.fetching.get import USER_AGENT, Got, Web, get, gunzipped

MAX_NESTING = 3
"""Sitemaps of sitemaps that are followed, one below the other."""

MOST_SITEMAPS = 100

_LONGEST_PAUSE = 10.0  # seconds that a robots.txt may ask to wait between two pages
_XML = ("application/xml", "text/xml", "application/gzip", "application/x-gzip", "application/octet-stream", "")


@dataclass(frozen=True, slots=True)
class Listing:
    """The pages of a sitemap, in its order.

    `skipped` counts what it lists and what is not fetched, by reason: "off_host", "robots", "beyond_max_pages",
    "sitemap_failed", "sitemap_not_followed". `pause` is in seconds, between two pages.
    """

    pages: tuple[str, ...]
    skipped: Mapping[str, int]
    pause: float
    robots: Robots


class Robots:
    """What a host's robots.txt permits (RFC 9309): where there is none, all; where it cannot be had, nothing."""

    def __init__(self, url: str, web: Web) -> None:
        """Fetch it. Raises FileFailed where the host does not answer for it."""
        self._rules = RobotFileParser()
        host = urlsplit(url)
        try:
            got = get(f"{host.scheme}://{host.netloc}/robots.txt", web)
            lines = (got.body or b"").decode("utf-8", "replace").splitlines()
        except FileFailed as error:
            if not error.reason.startswith("status_4"):
                raise FileFailed(error.reason, f"{host.netloc}'s robots.txt is not to be had: {error}") from error
            lines = []
        self._rules.parse(lines)

    def permits(self, url: str) -> bool:
        """Whether a page may be fetched."""
        return self._rules.can_fetch(USER_AGENT, url)

    @property
    def pause(self) -> float:
        """Seconds that the host wants between two pages, 0 where it says nothing."""
        return min(float(self._rules.crawl_delay(USER_AGENT) or 0), _LONGEST_PAUSE)


def root_of(got: Got, most: int) -> Element | None:
    """Return the root of an answer that is a sitemap or a list of sitemaps, None for any other page.

    Raises FileFailed for XML that declares entities or a document type: a sitemap needs none, and a bomb does.
    """
    data = got.body or b""
    if got.kind not in _XML:
        return None
    if data[:2] == b"\x1f\x8b":
        data = gunzipped(data, most, got.url)
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head.startswith(b"<") or not (b"urlset" in head or b"sitemapindex" in head):
        return None
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise FileFailed(
            "refused", f"{got.url} declares a document type or entities; nothing was read of it."
        ) from error
    except ParseError as error:
        raise FileFailed("syntax", f"{got.url} is no sound XML: {error}.") from error
    return root if _tag(root) in ("urlset", "sitemapindex") else None


def listing(url: str, root: Element, web: Web, max_pages: int) -> Listing:
    """Return the pages that a sitemap and those below it list, on its own host, as far as robots.txt permits.

    Raises FileFailed where the host does not answer for its robots.txt.
    """
    robots = Robots(url, web)
    pause = max(web.pause, robots.pause)
    skipped: Counter[str] = Counter()
    pages: dict[str, None] = {}
    seen = {url}
    pending = [(root, 0)]
    while pending:
        top, depth = pending.pop(0)
        for place in _places(top):
            if not same_host(place, url):
                skipped["off_host"] += 1
            elif not robots.permits(place):
                skipped["robots"] += 1
            elif _tag(top) == "urlset":
                if place not in pages and len(pages) == max_pages:
                    skipped["beyond_max_pages"] += 1
                else:
                    pages[place] = None
            elif place in seen:
                continue
            elif len(seen) > MOST_SITEMAPS or depth == MAX_NESTING or len(pages) == max_pages:
                skipped["sitemap_not_followed"] += 1
            else:
                seen.add(place)
                time.sleep(pause)
                below = _sitemap(place, web, robots)
                if below is None:
                    skipped["sitemap_failed"] += 1
                else:
                    pending.append((below, depth + 1))
    return Listing(tuple(pages), dict(skipped), pause, robots)


def same_host(url: str, other: str) -> bool:
    """Whether two addresses are on one host, https or not."""
    try:
        mine, its = urlsplit(url), urlsplit(other)
        return mine.scheme in ("http", "https") and (mine.hostname, mine.port) == (its.hostname, its.port)
    except ValueError:
        return False


def _sitemap(url: str, web: Web, robots: Robots) -> Element | None:
    def permit(hop: str) -> None:
        if not same_host(hop, url) or not robots.permits(hop):
            raise FileFailed("refused", f"{url} leads to {hop}, which is not the sitemap's to list.")

    try:
        return root_of(get(url, web, permit=permit), web.max_bytes)
    except FileFailed:
        return None


def _places(root: Element) -> list[str]:
    """The addresses in `<loc>`, without fragments and logins."""
    found = []
    for entry in root:
        for child in entry:
            if _tag(child) == "loc" and child.text and len(child.text) < 4096:
                found.append(child.text.strip().partition("#")[0])
    return found


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
