"""Documents in binary formats, made for tests, sound and hostile."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

from docx import Document
from openpyxl import Workbook
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

Draw = Callable[[Canvas], None]


def pdf(*pages: str | Draw, title: str = "", compressed: bool = True) -> bytes:
    """A PDF of these pages, each its lines in 11 points from the top left, or drawn by a function."""
    file = BytesIO()
    canvas = Canvas(file, pageCompression=int(compressed), invariant=1)
    if title:
        canvas.setTitle(title)
    for page in pages:
        if callable(page):
            page(canvas)
        else:
            lines(canvas, page)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def lines(
    canvas: Canvas, text: str, *, x: float = 72, y: float = 760, size: float = 11, font: str = "Helvetica"
) -> None:
    canvas.setFont(font, size)
    for number, line in enumerate(text.split("\n")):
        canvas.drawString(x, y - 1.3 * size * number, line)


def bare_pdf(*objects: bytes, version: bytes = b"1.7") -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    body = b"%PDF-" + version + b"\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return body + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        size, table, size, len(body),
    )  # fmt: skip


def one_page(content: bytes, *filters: bytes, resources: bytes = b"") -> bytes:
    """A PDF with one page whose content is this stream, as it is filtered already."""
    names = b" ".join(b"/" + name for name in filters)
    stream = b"<</Length %d /Filter [%s]>>\nstream\n%s\nendstream" % (len(content), names, content)
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    page = (
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>%s>>>>"
        % resources
    )
    tree = b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
    return bare_pdf(b"<</Type/Catalog/Pages 2 0 R>>", tree, page, stream, font)


def zeros(size: int, times: int = 1) -> bytes:
    """This many bytes of nothing, deflated this many times over."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    data = b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()
    for _ in range(times - 1):
        data = zlib.compress(data, 9)
    return data


def docx(*paragraphs: str | tuple[str, str]) -> bytes:
    """A Word document; a pair is a text with its style."""
    document = Document()
    for each in paragraphs:
        text, style = (each, None) if isinstance(each, str) else each
        document.add_paragraph(text, style)
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def pptx(*slides: tuple[str, str]) -> bytes:
    """A deck of slides, each a title and its points, one a line."""
    deck = Presentation()
    for title, points in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text_frame.text = points
    file = BytesIO()
    deck.save(file)
    return file.getvalue()


def xlsx(**sheets: list[list[object]]) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def epub(*chapters: str, title: str = "A book", extra: Mapping[str, str] | None = None) -> bytes:
    """A book of these chapters, in XHTML."""
    items = "".join(
        f'<item id="c{i}" href="text/c%20{i}.xhtml" media-type="application/xhtml+xml"/>' for i in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    members = {f"OEBPS/text/c {i}.xhtml": chapter for i, chapter in enumerate(chapters)}
    book = {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/book.opf": package}
    return zipped(book | members | dict(extra or {}))


def odt(body: str) -> bytes:
    """An OpenDocument text with this XML as its body."""
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "text", "table"))
    text = f"<office:body><office:text>{body}</office:text></office:body>"
    return zipped({"content.xml": f"<office:document-content {spaces}>{text}</office:document-content>"})


def mail(subject: str, text: str, *, html: str = "", attached: str = "") -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "ada@example.org"
    message["To"] = "charles@example.org"
    message["Date"] = "Mon, 05 Jun 1843 10:00:00 +0000"
    if text:
        message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html") if text else message.set_content(html, subtype="html")
    if attached:
        message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=attached)
    return message.as_bytes()


def replaced(archive: bytes, changes: Mapping[str, bytes | Callable[[bytes], bytes]]) -> bytes:
    """The archive with members changed or added."""
    with ZipFile(BytesIO(archive)) as old:
        members = {name: old.read(name) for name in old.namelist()}
    for name, change in changes.items():
        members[name] = change(members[name]) if callable(change) else change
    return zipped(members)
