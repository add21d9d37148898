"""Small office files of every kind, written by hand."""

import zipfile
from pathlib import Path

import xlsxwriter

WORDS = "Harvest report of the northern valley"
SCHEMAS = "http://schemas.openxmlformats.org"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
CONTENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
OPEN = "urn:oasis:names:tc:opendocument:xmlns"


def docx(path: Path, body: str = f"<w:p><w:r><w:t>{WORDS}</w:t></w:r></w:p>") -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(
            "[Content_Types].xml",
            f'{HEAD}<Types xmlns="{SCHEMAS}/package/2006/content-types">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{CONTENT}"/></Types>',
        )
        packed.writestr(
            "_rels/.rels",
            f'{HEAD}<Relationships xmlns="{SCHEMAS}/package/2006/relationships"><Relationship '
            f'Id="r1" Type="{SCHEMAS}/officeDocument/2006/relationships/officeDocument" '
            'Target="word/document.xml"/></Relationships>',
        )
        packed.writestr(
            "word/document.xml",
            f'{HEAD}<w:document xmlns:w="{SCHEMAS}/wordprocessingml/2006/main">'
            f"<w:body>{body}</w:body></w:document>",
        )
    return path


def open_document(path: Path, kind: str, body: str) -> Path:
    media_type = f"application/vnd.oasis.opendocument.{kind}"
    names = {"office": "office", "text": "text", "draw": "drawing", "table": "table"}
    spaces = " ".join(f'xmlns:{name}="{OPEN}:{place}:1.0"' for name, place in names.items())
    spaces += f' xmlns:svg="{OPEN}:svg-compatible:1.0"'
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("mimetype", media_type)
        packed.writestr(
            "META-INF/manifest.xml",
            f'{HEAD}<m:manifest xmlns:m="{OPEN}:manifest:1.0"><m:file-entry m:full-path="/" '
            f'm:media-type="{media_type}"/><m:file-entry m:full-path="content.xml" '
            'm:media-type="text/xml"/></m:manifest>',
        )
        packed.writestr(
            "content.xml",
            f'{HEAD}<office:document-content {spaces} office:version="1.2"><office:body>'
            f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        )
    return path


def odt(path: Path) -> Path:
    return open_document(path, "text", f"<text:p>{WORDS}</text:p>")


def odp(path: Path, slides: int = 2) -> Path:
    frame = '<draw:frame svg:width="20cm" svg:height="3cm" svg:x="2cm" svg:y="2cm">'
    slide = f"<draw:page>{frame}<draw:text-box><text:p>{WORDS}</text:p></draw:text-box>"
    return open_document(path, "presentation", f"{slide}</draw:frame></draw:page>" * slides)


def rtf(path: Path) -> Path:
    path.write_text(r"{\rtf1\ansi " + WORDS + r"\par}")
    return path


def xlsx(path: Path, columns: int = 40) -> Path:
    with xlsxwriter.Workbook(path) as book:
        for name in ("First", "Second"):
            sheet = book.add_worksheet(name)
            sheet.write(0, 0, WORDS)
            for column in range(columns):
                sheet.write(1, column, column * 1000)
    return path
