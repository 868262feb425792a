"""Hostile documents end in a text or in a typed failure, in bounded time and memory, and their neighbours are read."""

from __future__ import annotations

import stat
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from ingest.load_html import read_html
from ingest.pipeline import read
from ingest.walk import walk
from tests.documents import bare_pdf, docx, epub, mail, odt, one_page, pdf, pptx, replaced, xlsx, zeros, zipped

SECRET = "canary-7f3a91"
SAID = "The valve opens at nine."
CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12)) + "]>"
)


def truncated() -> bytes:
    whole = pdf(*[SAID] * 20)
    return whole[: len(whole) // 2]


def own_parent() -> bytes:
    return bare_pdf(CATALOG, b"<</Type/Pages/Kids[2 0 R]/Count 1/Parent 2 0 R>>")


def counts_a_billion() -> bytes:
    return one_page(zlib.compress(b"BT /F1 12 Tf 72 700 Td (x) Tj ET"), b"FlateDecode").replace(
        b"/Count 1>", b"/Count 999999999>"
    )


def encrypted() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf(SAID))))
    writer.encrypt("a password", algorithm="RC4-128")
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def with_script_and_attachment() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf(SAID))))
    script = {"/S": NameObject("/JavaScript"), "/JS": TextStringObject(f"app.alert('{SECRET}')")}
    action = DictionaryObject({NameObject(key): value for key, value in script.items()})
    writer.root_object[NameObject("/OpenAction")] = action
    writer.add_attachment("inside.txt", SECRET.encode())
    file = BytesIO()
    writer.write(file)
    return file.getvalue()


def deep_forms() -> bytes:
    form = b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 4 0 R>>>>/Length 5>>"
    form += b"\nstream\n/X Do\nendstream"
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject<</X 4 0 R>>>>>>"
    return bare_pdf(CATALOG, b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, form)


def nested_arrays() -> bytes:
    return one_page(zlib.compress(b"[" * 200_000 + b"]" * 200_000 + b" TJ"), b"FlateDecode")


def members(make: Callable[[ZipFile], None]) -> bytes:
    """A sound document with members that a careless reader would unpack."""
    file = BytesIO(docx(SAID))
    with pytest.MonkeyPatch.context() as patch, ZipFile(file, "a", ZIP_DEFLATED) as archive:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # zipfile's about duplicate names
        make(archive)
    return file.getvalue()


def wandering(archive: ZipFile) -> None:
    for name in ("../../outside.xml", "/tmp/absolute.xml", "word/../../up.xml", "C:\\windows.xml"):
        archive.writestr(name, SECRET)


def linked(archive: ZipFile) -> None:
    link = ZipInfo("word/link.xml")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(link, "/etc/passwd")


def doubled(archive: ZipFile) -> None:
    for _ in range(3):
        archive.writestr("docProps/app.xml", "<x/>")


def crowded(archive: ZipFile) -> None:
    for number in range(20_000):
        archive.writestr(f"m{number}", b"")


def quine(archive: ZipFile) -> None:
    archive.writestr("word/again.docx", docx(SAID))


def lying_size() -> bytes:
    """An archive whose directory says that a member is small; its data goes on for 100 MB."""
    whole = bytearray(zipped({"[Content_Types].xml": b"x", "word/document.xml": bytes(100 << 20)}))
    at = whole.rindex(b"PK\x01\x02")
    whole[at + 24 : at + 28] = (100).to_bytes(4, "little")
    return bytes(whole)


def body(change: bytes, doctype: bytes = b"") -> Callable[[bytes], bytes]:
    """Put something into a document's first paragraph, and a document type before all."""

    def changed(old: bytes) -> bytes:
        head, _, rest = old.partition(b"?>")
        return head + b"?>" + doctype + rest.replace(b"The valve", change + b"The valve", 1)

    return changed


@dataclass(frozen=True)
class Case:
    """`says` must be in the text where there is one; where `reasons` is empty there must be one."""

    name: str
    make: Callable[[], bytes]
    reasons: tuple[str, ...] = ()
    says: str = ""


CASES = [
    Case("26 truncated.pdf", truncated, ("syntax", "no_text")),
    Case("26 empty.pdf", lambda: b"", ("syntax",)),
    Case("26 text.pdf", lambda: b"not a PDF at all", ("syntax",)),
    Case("26 text.docx", lambda: b"not a zip at all", ("syntax",)),
    Case("26 text.epub", lambda: zipped({"a": "b"}), ("syntax",)),
    Case("27 own parent.pdf", own_parent, ("syntax", "no_text")),
    Case("27 form in itself.pdf", deep_forms, ("syntax", "no_text")),
    Case("28 count.pdf", counts_a_billion, says="x"),
    Case("29 flate bomb.pdf", lambda: one_page(zeros(300 << 20), b"FlateDecode"), ("syntax", "too_large", "no_text")),
    Case(
        "30 nested filters.pdf",
        lambda: one_page(zeros(300 << 20, 4), *[b"FlateDecode"] * 4),
        ("syntax", "too_large", "no_text"),
    ),
    Case("30 nested arrays.pdf", nested_arrays, ("syntax", "too_large", "no_text", "crash")),
    Case("31 encrypted.pdf", encrypted, ("encrypted",)),
    Case("32 script.pdf", with_script_and_attachment, says=SAID),
    Case("35 bomb.docx", lambda: replaced(docx(SAID), {"word/document.xml": bytes(300 << 20)}), ("too_large",)),
    Case(
        "35 bomb.xlsx",
        lambda: replaced(xlsx(a=[["a"]]), {"xl/worksheets/sheet1.xml": bytes(300 << 20)}),
        ("too_large",),
    ),
    Case("35 lying.docx", lying_size, ("syntax",)),
    Case("36 wandering.docx", lambda: members(wandering), says=SAID),
    Case("36 linked.docx", lambda: members(linked), says=SAID),
    Case("36 doubled.docx", lambda: members(doubled), says=SAID),
    Case("36 crowded.docx", lambda: members(crowded), ("too_large",)),
    Case("36 quine.docx", lambda: members(quine), says=SAID),
    Case(
        "37 laughs.docx",
        lambda: replaced(docx(SAID), {"word/document.xml": body(b"&a11;", LAUGHS.encode())}),
        ("syntax", "too_large"),
        says="valve",
    ),
    Case(
        "37 laughs.xlsx",
        lambda: replaced(
            xlsx(a=[[SAID]]),
            {"xl/worksheets/sheet1.xml": f"{LAUGHS}<worksheet><sheetData>&a11;</sheetData></worksheet>".encode()},
        ),
        ("syntax", "too_large"),
    ),
    Case("37 laughs.epub", lambda: epub(SAID, extra={"OEBPS/book.opf": f"{LAUGHS}<p>&a11;</p>"}), ("syntax",)),
    Case("37 laughs.odt", lambda: zipped({"content.xml": f"{LAUGHS}<p>&a11;</p>"}), ("syntax",)),
    Case("38 nested.epub", lambda: epub("<div>" * 100_000 + f"<p>{SAID}</p>"), says=SAID),
    Case("deep.eml", lambda: b"".join(nested_mail()), ("syntax",), says="Subject"),
    Case("deep.odt", lambda: odt("<text:span>" * 50_000 + "</text:span>" * 50_000), ("syntax", "crash")),
]


def nested_mail() -> list[bytes]:
    parts = [b"Subject: Subject\n"]
    parts += [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3_000)]
    return parts


LONG = Case("33 pages.pdf", lambda: pdf(*["p"] * 10_000), ("timeout",), says="p")


@pytest.mark.parametrize(
    "case", [*CASES, pytest.param(LONG, marks=pytest.mark.slow)], ids=lambda case: getattr(case, "name", None)
)
def test_a_hostile_document_is_read_or_fails_by_type_and_its_neighbour_is_read(case: Case, tmp_path: Path) -> None:
    (tmp_path / "neighbour.docx").write_bytes(docx(SAID))
    (tmp_path / case.name).write_bytes(case.make())
    started = time.monotonic()
    results = {each.path: each for each in read(walk(tmp_path).files, workers=1)}
    assert time.monotonic() - started < 30
    assert SAID in results["neighbour.docx"].chunks[0].text
    result = results[case.name]
    if result.error:
        assert result.error.reason in case.reasons, result.error
        assert str(result.error).startswith(case.name)
    else:
        text = "\n".join(chunk.text for chunk in result.chunks)
        assert case.says, f"was read: {text[:200]!r}"
        assert case.says in text
        assert SECRET not in text


@pytest.mark.parametrize("kind", ["docx", "xlsx", "epub", "odt", "pptx"])
def test_an_entity_that_names_a_file_is_not_followed(kind: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
    chapter = f"{doctype}<html><body>&e;<p>{SAID}</p></body></html>"
    made = {
        "docx": lambda: replaced(docx(SAID), {"word/document.xml": body(b"&e;", doctype.encode())}),
        "xlsx": lambda: replaced(
            xlsx(a=[["The valve"]]),
            {
                "xl/worksheets/sheet1.xml": (
                    f'{doctype}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
                    '<row r="1"><c r="A1" t="str"><v>&e;</v></c></row></sheetData></worksheet>'
                ).encode()
            },
        ),
        "epub": lambda: epub(chapter),
        "odt": lambda: zipped({"content.xml": f"{doctype}<p>&e;</p>"}),
        "pptx": lambda: replaced(pptx(("The valve", "x")), {"ppt/slides/slide1.xml": body(b"&e;", doctype.encode())}),
    }[kind]()
    (tmp_path / f"a.{kind}").write_bytes(made)
    (result,) = read([file for file in walk(tmp_path).files if file.path.startswith("a.")], workers=1)
    assert SECRET not in "".join(chunk.text for chunk in result.chunks)
    assert result.error is None or (result.error.reason == "syntax" and SECRET not in str(result.error))


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 100_000 + SAID,
        "<table><tr><td>" * 50_000 + SAID,
        f'<meta http-equiv="refresh" content="0; url=file:///etc/passwd"><base href="http://127.0.0.1/"><p>{SAID}</p>',
        f'<img src="data:image/png;base64,{"A" * 1_000_000}"><a href="data:text/html,{"x" * 9_000}">a</a><p>{SAID}</p>',
        "<!--" * 100_000 + f"--><p>{SAID}</p>",
        "<!" * 100_000 + f"<p>{SAID}</p>",
        "<!--" * 100_000 + ">",
        "<![" * 100_000 + ">",
        "<a b='>'" * 50_000,
        f"<p>{SAID}</p>" + "<a " * 100_000,
        f"<p>{SAID}</p>" + "<" * 100_000,
        f"<p>{SAID}</p>" + "<a b='" * 50_000,
        f"<p>{SAID}</p>" + "&" * 200_000,
        f"<p>{SAID}</p>" + "<?" * 100_000,
        "<nav>" * 100_000 + f"</nav><h1>{SAID}</h1>",
        "<style>" * 50_000 + "</nav>" * 50_000 + f"<h1>{SAID}</h1>",
        f"<p>{SAID}</p>" + "x<b>" * 100_000,
    ],
    ids=lambda page: page[:20],
)
def test_a_hostile_page_is_read_in_no_more_than_seconds(page: str) -> None:
    started = time.monotonic()
    text, places = read_html(page)
    assert time.monotonic() - started < 5
    assert len(places) == (text.count("\n") + 1 if text else 0)
    assert "127.0.0.1" not in text
    assert "AAAA" not in text


def test_mail_shows_no_more_than_the_names_of_what_is_attached(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(mail("Valves", SAID, attached="../../etc/passwd\x1b[31m"))
    (result,) = read(walk(tmp_path).files, workers=1)
    assert SAID in result.chunks[0].text
    assert "\x1b" not in result.chunks[0].text
