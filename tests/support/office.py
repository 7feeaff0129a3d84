"""Office documents and books made of as little XML as their readers need."""

import zipfile
from io import BytesIO

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'


def archive(members: dict[str, str | bytes]) -> bytes:
    """A zip archive; a member ``mimetype`` is not packed."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return out.getvalue()


def _relations(**targets: str) -> str:
    """Relations by their kind; one that is an address leads out of the package."""
    entries = ""
    for kind, target in targets.items():
        mode = "External" if ":" in target else "Internal"
        name = kind.rstrip("0123456789")
        entries += f'<Relationship Id="{kind}" Type="{_R}/{name}" Target="{target}" TargetMode="{mode}"/>'
    return f"<Relationships {_RELATIONS}>{entries}</Relationships>"


def docx(body: str, *, footnotes: str = "", title: str = "", **more: str | bytes) -> bytes:
    """A DOCX with styles Heading1 and Heading2, and a list 1 of bullets."""
    styles = "".join(
        f'<w:style w:styleId="Heading{n}"><w:name w:val="heading {n}"/></w:style>' for n in (1, 2)
    )
    numbering = (
        '<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl></w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    )
    return archive({
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": _relations(officeDocument="word/document.xml"),
        "docProps/core.xml": f'<c xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></c>',
        "word/_rels/document.xml.rels": _relations(
            styles="styles.xml", numbering="numbering.xml", footnotes="footnotes.xml", image="http://127.0.0.1:9/x"
        ),
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
        "word/numbering.xml": f"<w:numbering {W}>{numbering}</w:numbering>",
        "word/footnotes.xml": f"<w:footnotes {W}>{footnotes}</w:footnotes>",
        "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
        **more,
    })  # fmt: skip


def word_paragraph(text: str, properties: str = "") -> str:
    """A paragraph; ``properties`` are those of WordprocessingML."""
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(*rows: tuple[str, ...]) -> str:
    """A table whose cells have a paragraph for each line."""

    def cell(text: str) -> str:
        return f"<w:tc>{''.join(map(word_paragraph, text.split(chr(10))))}</w:tc>"

    lines = (f"<w:tr>{''.join(map(cell, row))}</w:tr>" for row in rows)
    return f"<w:tbl>{''.join(lines)}</w:tbl>"


def pptx(*slides: tuple[str, str, str], hidden: int = 0) -> bytes:
    """A presentation of slides: title, text and notes; the slide of the number ``hidden`` is not shown."""

    def shape(kind: str, text: str) -> str:
        paragraphs = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
        return (
            f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>'
            f"<p:txBody>{paragraphs}</p:txBody></p:sp>"
        )

    numbers = range(1, len(slides) + 1)
    ids = "".join(f'<p:sldId id="{255 + n}" xmlns:r="{_R}" r:id="slide{n}"/>' for n in numbers)
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": _relations(officeDocument="ppt/presentation.xml"),
        "ppt/_rels/presentation.xml.rels": _relations(**{f"slide{n}": f"slides/s{n}.xml" for n in numbers}),
        "ppt/presentation.xml": f"<p:presentation {_P}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
    }
    for number, (title, text, notes) in enumerate(slides, start=1):
        tree = f"<p:cSld><p:spTree>{shape('body', text)}{shape('title', title)}{shape('sldNum', '7')}"
        shown = ' show="0"' if number == hidden else ""
        members |= {
            f"ppt/slides/s{number}.xml": f"<p:sld {_P} {_A}{shown}>{tree}</p:spTree></p:cSld></p:sld>",
            f"ppt/slides/_rels/s{number}.xml.rels": _relations(notesSlide=f"../notes/n{number}.xml"),
            f"ppt/notes/n{number}.xml": f"<p:notes {_P} {_A}><p:cSld><p:spTree>{shape('body', notes)}"
            "</p:spTree></p:cSld></p:notes>",
        }
    return archive(members)


def xlsx(sheets: dict[str, list[list[str | float]]], *, hidden: str = "") -> bytes:
    """A workbook; the sheet that is named ``hidden`` is not shown."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

    def cell(value: str | float) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    entries = ""
    for number, name in enumerate(sheets, start=1):
        state = "hidden" if name == hidden else "visible"
        entries += f'<sheet name="{name}" sheetId="{number}" state="{state}" r:id="worksheet{number}"/>'
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": _relations(officeDocument="xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": _relations(
            **{f"worksheet{n}": f"worksheets/s{n}.xml" for n in range(1, len(sheets) + 1)}
        ),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{_R}"><sheets>{entries}</sheets></workbook>',
    }
    for number, rows in enumerate(sheets.values(), start=1):
        data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        members[f"xl/worksheets/s{number}.xml"] = (
            f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>'
        )
    return archive(members)


def open_document(body: str, kind: str = "text", *, manifest: str = "") -> bytes:
    """An OpenDocument file of a kind; ``body`` is what stands in ``office:text`` and its like."""
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "text", "table", "draw", "presentation", "manifest")
    )
    return archive({
        "mimetype": f"application/vnd.oasis.opendocument.{kind}",
        "content.xml": f"<office:document-content {names}><office:body><office:{kind}>{body}</office:{kind}>"
        "</office:body></office:document-content>",
        "META-INF/manifest.xml": f"<manifest:manifest {names}>{manifest}</manifest:manifest>",
    })  # fmt: skip


def epub(*chapters: str, title: str = "A book", encryption: str = "") -> bytes:
    """A book of chapters in XHTML, in English."""
    items = "".join(
        f'<item id="c{n}" href="c%20{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="O/p.opf"/></rootfiles></container>',
        "O/p.opf": '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>{title}</dc:title><dc:language>en</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    if encryption:
        members["META-INF/encryption.xml"] = encryption
    return archive(members | {f"O/c {n}.xhtml": chapter for n, chapter in enumerate(chapters)})
