"""A page, or the pages that a sitemap lists, as files in a folder. Asked again, only what changed is sent."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ingest.errors import FileFailed
from ingest.fetching.get import Got, Known, Web, get
from ingest.fetching.page_names import Names
from ingest.fetching.sitemap import Listing, listing, root_of, same_host

MAX_PAGES = 500

_AT_ONCE = 2  # requests
_BATCH = 8  # pages in memory, each of 20 MB at the most
_GONE = ("status_404", "status_410")


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is kept as the file `name`, relative to the folder. `known` is what its server said of it."""

    url: str
    name: str
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True)
class Site:
    """What became of an address.

    `pages` were fetched or found unchanged; `kept` could not be fetched this time, and are as they were. `failures`
    says why, by the page's address. `skipped` counts what was not asked for, by reason.
    """

    pages: tuple[Page, ...]
    kept: tuple[Page, ...] = ()
    failures: tuple[tuple[str, FileFailed], ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)


def fetch(
    url: str,
    folder: Path,
    *,
    before: Sequence[Page] = (),
    taken: Iterable[str] = (),
    max_pages: int = MAX_PAGES,
    web: Web | None = None,
    on_page: Callable[[int, int], object] = lambda done, pages: None,
) -> Site:
    """Bring the files of an address to what its server has.

    Args:
        before: What the last fetch of this address kept. What is listed no more is deleted.
        taken: Names below the folder that other addresses' files have.
        max_pages: Of a sitemap.
        on_page: Told of a sitemap how many pages are done, of how many.

    Raises:
        FileFailed: the address itself could not be fetched, or is of a type that is not kept.
    """
    web = web or Web()
    keeper = _Keeper(folder, {page.url: page for page in before}, taken)
    got = get(url, web, known=keeper.known(url))
    root = root_of(got, web.max_bytes)
    if root is None:
        site = Site((keeper.keep(url, got),))
    else:
        site = _site(listing(got.url, root, web, max_pages), keeper, web, on_page)
    keeper.tidy(site)
    return site


def _site(listed: Listing, keeper: _Keeper, web: Web, on_page: Callable[[int, int], object]) -> Site:
    pages: list[Page] = []
    kept: list[Page] = []
    failures: list[tuple[str, FileFailed]] = []
    for done, (url, found) in enumerate(_answers(listed, keeper, web), 1):
        try:
            if isinstance(found, FileFailed):
                raise found
            pages.append(keeper.keep(url, found))
        except FileFailed as error:
            failures.append((url, error))
            old = keeper.old(url)
            # A page that is not there any more is gone; one that cannot be had now stays as it was.
            if old is not None and error.reason not in _GONE:
                kept.append(old)
        on_page(done, len(listed.pages))
    return Site(tuple(pages), tuple(kept), tuple(failures), listed.skipped)


def _answers(listed: Listing, keeper: _Keeper, web: Web) -> Iterator[tuple[str, Got | FileFailed]]:
    """Every page's answer in the order of the sitemap, a few at a time."""

    def answer(url: str) -> Got | FileFailed:
        def permit(hop: str) -> None:
            if not same_host(hop, url) or not listed.robots.permits(hop):
                raise FileFailed("refused", f"{url} leads to {hop}, off its host or where its robots.txt forbids.")

        time.sleep(listed.pause)
        try:
            return get(url, web, known=keeper.known(url), permit=permit)
        except FileFailed as error:
            return error

    workers = _AT_ONCE if listed.pause <= web.pause else 1  # a host that asks for a pause means between any two
    with ThreadPoolExecutor(workers) as pool:
        for at in range(0, len(listed.pages), _BATCH):
            batch = listed.pages[at : at + _BATCH]
            yield from zip(batch, pool.map(answer, batch), strict=True)


class _Keeper:
    """Writes pages under names of their own, and knows those of the last time."""

    def __init__(self, folder: Path, before: Mapping[str, Page], taken: Iterable[str]) -> None:
        self._folder = folder
        self._before = before
        self._names = Names([*taken, *(page.name for page in before.values())])

    def old(self, url: str) -> Page | None:
        """The page as the last fetch kept it, where the file is still there."""
        page = self._before.get(url)
        return page if page and (self._folder / page.name).is_file() else None

    def known(self, url: str) -> Known | None:
        """What to ask the server with; None where there is no copy that could be unchanged."""
        old = self.old(url)
        return old.known if old else None

    def keep(self, url: str, got: Got) -> Page:
        """Write the page where its bytes are others than before. Raises FileFailed for a type that is not kept."""
        old = self._before.get(url)
        if got.body is None:
            assert old is not None, "304 comes only where something was known"
            return Page(url, old.name, got.known)
        name = old.name if old and self._names.fits(old.name, got.kind) else self._names.name(url, got.kind)
        if name is None:
            raise FileFailed(
                "type", f"{url} is {got.kind[:60] or 'of no type'}; only text, PDF and office files are kept."
            )
        file = self._folder / name
        if not file.is_file() or file.read_bytes() != got.body:
            file.parent.mkdir(parents=True, exist_ok=True)
            if os.path.realpath(file.parent) != os.path.join(os.path.realpath(self._folder), Path(name).parent):
                raise FileFailed("refused", f"{file.parent} is reached by a link; {url} was not kept. Remove the link.")
            part = file.with_name(f".{file.name}.part")
            part.write_bytes(got.body)
            os.replace(part, file)
        return Page(url, name, got.known)

    def tidy(self, site: Site) -> None:
        """Delete the files of pages that are gone."""
        for name in {page.name for page in self._before.values()} - {page.name for page in (*site.pages, *site.kept)}:
            (self._folder / name).unlink(missing_ok=True)
