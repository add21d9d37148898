"""Small PDFs of every kind, made on the spot."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import img2pdf
import pikepdf
import pypdfium2
import pyvips
from pikepdf import Array, Dictionary, Encryption, Name, OutlineItem, Page, Pdf, Permissions, String

A4 = (595, 842)


def document(
    path: Path,
    pages: int = 3,
    sizes: Sequence[tuple[float, float]] = (A4,),
    words: str = "Page {n} of {of}",
    **saving: Any,
) -> Path:
    """Write a document with a line of text and a red square (lower left) on each page."""
    pdf = blank(pages, sizes, words)
    pdf.save(path, deterministic_id="encryption" not in saving, **saving)
    return path


def blank(
    pages: int, sizes: Sequence[tuple[float, float]] = (A4,), words: str = "Page {n} of {of}"
) -> Pdf:
    pdf = Pdf.new()
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    fonts = Dictionary(F1=pdf.make_indirect(font))
    for number in range(pages):
        width, height = sizes[number % len(sizes)]
        text = words.format(n=number + 1, of=pages)
        content = f"BT /F1 40 Tf 60 {height / 2} Td ({text}) Tj ET 1 0 0 rg 0 0 100 100 re f"
        page = Dictionary(
            Type=Name.Page,
            MediaBox=Array([0, 0, width, height]),
            Resources=Dictionary(Font=fonts),
            Contents=pdf.make_stream(content.encode()),
        )
        pdf.pages.append(Page(pdf.make_indirect(page)))
    return pdf


def printed(words: Sequence[str], dpi: int = 200, turned: int = 0) -> Any:
    """Return a page with these lines as a picture, as a scanner sees it; turned clockwise."""
    pdf = blank(1, words="")
    lines = "".join(f"({line}) ' " for line in words)
    content = f"BT /F1 14 Tf 22 TL 60 780 Td {lines} ET"
    pdf.pages[0].obj.Contents = pdf.make_stream(content.encode("cp1252"))
    made = BytesIO()
    pdf.save(made)
    page = pypdfium2.PdfDocument(made)[0]
    drawn = page.render(scale=dpi / 72, grayscale=True)
    image = pyvips.Image.new_from_memory(
        bytes(drawn.buffer), drawn.stride, drawn.height, 1, "uchar"
    )
    image = image.crop(0, 0, drawn.width, drawn.height).copy(
        interpretation="b-w", xres=dpi / 25.4, yres=dpi / 25.4
    )
    return image.rot(f"d{turned}") if turned else image


def scan(path: Path, pages: Sequence[Sequence[str]], turned: int = 0) -> Path:
    """Write a document whose pages are pictures of these lines, and nothing else."""
    pictures = [printed(words, turned=turned).jpegsave_buffer(Q=80) for words in pages]
    path.write_bytes(img2pdf.convert(pictures))
    return path


def linked(path: Path) -> Path:
    """Write three pages: a link to the last one by its page and by a name, and two bookmarks."""
    pdf = blank(3)
    last = pdf.pages[2].obj
    pdf.Root.Dests = Dictionary(end=Array([last, Name.Fit]))
    links = [
        Dictionary(Dest=Array([last, Name.XYZ, 0, 500, 0])),
        Dictionary(Dest=Name.end),
        Dictionary(A=Dictionary(S=Name.GoTo, D=Array([last, Name.Fit]))),
    ]
    for link in links:
        link.Type, link.Subtype, link.Rect = Name.Annot, Name.Link, Array([0, 0, 100, 100])
    pdf.pages[0].Annots = Array([pdf.make_indirect(link) for link in links])
    with pdf.open_outline() as outline:
        first = OutlineItem("One", 0)
        first.children.append(OutlineItem("Within / one", 1))
        outline.root.extend([first, OutlineItem("Two", 2)])
    pdf.save(path)
    return path


def form(path: Path, value: str = "Ada") -> Path:
    """Write one page with a text field called `name` that is filled in."""
    pdf = blank(1)
    look = pdf.make_stream(f"BT /F1 20 Tf 2 5 Td ({value}) Tj ET".encode())
    look.Type, look.Subtype, look.BBox = Name.XObject, Name.Form, Array([0, 0, 200, 30])
    look.Resources = pdf.pages[0].Resources
    field = Dictionary(
        Type=Name.Annot, Subtype=Name.Widget, FT=Name.Tx, T=String("name"), V=String(value),
        Rect=Array([200, 200, 400, 230]), F=4, DA=String("/F1 20 Tf"), AP=Dictionary(N=look),
    )  # fmt: skip
    made = pdf.make_indirect(field)
    pdf.pages[0].Annots = Array([made])
    fonts = Dictionary(Font=pdf.pages[0].Resources.Font)
    pdf.Root.AcroForm = Dictionary(Fields=Array([made]), DR=fonts, DA=String("/F1 20 Tf"))
    pdf.save(path)
    return path


def layered(path: Path, *, others_too: bool = False) -> Path:
    """Write two pages with a blue square on a hidden layer; hidden with all others if that is wanted."""
    pdf = blank(2)
    layer = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=String("Hidden")))
    hidden = Dictionary(BaseState=Name.OFF) if others_too else Dictionary(OFF=Array([layer]))
    pdf.Root.OCProperties = Dictionary(OCGs=Array([layer]), D=hidden)
    for page in pdf.pages:
        page.obj.Resources.Properties = Dictionary(L1=layer)
        page.contents_add(b"/OC /L1 BDC 0 0 1 rg 200 600 100 100 re f EMC")
    pdf.save(path)
    return path


def locked(path: Path, *, owner: str = "", user: str = "", **allowed: bool) -> Path:
    """Write a document that opens with the user's password and is changed with the owner's."""
    allow = Permissions(**allowed) if allowed else Permissions()
    return document(path, encryption=Encryption(owner=owner, user=user, allow=allow))


def destinations(pdf: Pdf, place: int) -> list[int]:
    """Return the places of the pages to which the links of a page lead."""
    numbers = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}
    found = []
    for link in pdf.pages[place].Annots:
        target = link.get(Name.Dest) if Name.Dest in link else link.A.D
        if isinstance(target, Name):
            target = pdf.Root.Dests[target]
        target = target.D if isinstance(target, Dictionary) else target
        found.append(numbers[target[0].objgen])
    return found


def titles(path: Path) -> list[Any]:
    """Return the bookmarks as nested lists: title, place of the page, those below."""
    with pikepdf.open(path) as pdf, pdf.open_outline() as outline:
        numbers = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}

        def listed(items: Sequence[OutlineItem]) -> list[Any]:
            return [
                [
                    item.title,
                    numbers[item.destination[0].objgen] if item.destination is not None else None,
                    *listed(item.children),
                ]
                for item in items
            ]

        return listed(outline.root)


def count(path: Path) -> int:
    with pikepdf.open(path) as pdf:
        return len(pdf.pages)


def mutate(content: bytes, dice: Any) -> bytes:
    """Damage a file: bytes changed, pieces cut out, doubled or swapped, the end cut off."""
    data = bytearray(content)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(data))
        length = dice.randint(1, max(1, min(400, len(data) // 8)))
        way = dice.randrange(6)
        if way == 0:
            data[at] = dice.randrange(256)
        elif way == 1:
            del data[at : at + length]
        elif way == 2:
            data[at:at] = data[at : at + length]
        elif way == 3:
            data[at : at + length] = dice.randbytes(length)
        elif way == 4 and (digits := [n for n, byte in enumerate(data) if 48 <= byte <= 57]):
            data[dice.choice(digits)] = dice.randint(48, 57)
        elif way == 5 and dice.random() < 0.3:
            del data[at:]
        if len(data) < 16:
            break
    return bytes(data)
