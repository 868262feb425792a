"""Zip archives that documents are kept in. Members are looked up by name and read into memory; nothing is ever unpacked
to a path, so that a member's name, or its being a link, leads nowhere."""

from __future__ import annotations

from io import BytesIO
from zipfile import BadZipFile, ZipFile

from ingest.errors import FileFailed

MAX_MEMBERS = 10_000
MAX_UNPACKED = 200_000_000
"""Bytes that all members may unpack to. `zipfile` reads no more of a member than the archive declares."""

_OFFICE_CONTAINER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # what office programs put an encrypted document in


def unzipped(data: bytes) -> ZipFile:
    """Return the archive, read only.

    Raises:
        FileFailed: "encrypted", "syntax", or "too_large" for more members or more bytes than any document has.
    """
    if data.startswith(_OFFICE_CONTAINER):
        encrypted = "EncryptedPackage".encode("utf-16-le") in data
        raise FileFailed("encrypted" if encrypted else "syntax", "an OLE container, as old office programs write")
    try:
        archive = ZipFile(BytesIO(data))
    except (BadZipFile, ValueError, NotImplementedError) as error:
        raise FileFailed("syntax", str(error)) from error
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise FileFailed("too_large", f"{len(members):,} members in the archive; at most {MAX_MEMBERS:,} are read")
    size = sum(member.file_size for member in members)
    if size > MAX_UNPACKED:
        raise FileFailed("too_large", f"{size:,} bytes unpacked; at most {MAX_UNPACKED:,} are read")
    if any(member.flag_bits & 1 for member in members):
        raise FileFailed("encrypted", "members with a password")
    return archive
