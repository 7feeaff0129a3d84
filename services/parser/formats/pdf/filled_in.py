"""What people have written into a PDF: values of form fields, ticked boxes, remarks that stand on the page."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from services.parser.normalization import has_text, tidy_prose

_MOST_ANNOTATIONS = 5000
_LONGEST_LABEL = 120
_MARGIN = 1.0
_BESIDE = 240.0
"""Points to the right of a box within which its label begins."""
_PASSWORD = 1 << 13
_BOXES = frozenset({pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON})
_WRITTEN = frozenset({
    pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX
})  # fmt: skip


@dataclass(frozen=True)
class _Field:
    name: str
    value: str
    is_box: bool
    box: tuple[float, float, float, float]
    """Left, bottom, right and top, in points."""


def with_filled_in(page: pypdfium2.PdfPage, text: pypdfium2.PdfTextPage, shown: str) -> str:
    """Return the text of a page with what was filled in behind its labels, and with remarks at the end."""
    at_the_end: list[str] = []
    for annotation in _annotations(page):
        if isinstance(annotation, str):
            at_the_end.append(annotation)
        elif not _is_drawn(text, annotation):
            shown, rest = _placed(annotation, text, shown)
            at_the_end += rest
    return "\n".join([shown, *at_the_end]) if at_the_end else shown


def _placed(field: _Field, text: pypdfium2.PdfTextPage, shown: str) -> tuple[str, list[str]]:
    label = _label(field, text)
    at = shown.find(label) if label else -1
    if at < 0:
        return shown, [f"{field.name}: {field.value}" if field.name else field.value]
    end = at + len(label)
    written = f"[x] {label}" if field.is_box else f"{label} {field.value}"
    return f"{shown[:at]}{written}{shown[end:]}", []


def _label(field: _Field, text: pypdfium2.PdfTextPage) -> str:
    """The words beside a field: before it, or behind a box that is ticked."""
    left, bottom, right, top = field.box
    areas = [(0.0, left + _MARGIN)]
    if field.is_box:
        areas.insert(0, (right - _MARGIN, right + _BESIDE))
    for begin, end in areas:
        found = str(text.get_text_bounded(begin, bottom, end, top)).strip().split("\n")
        label = found[-1].strip() if begin == 0 else found[0].strip()
        if has_text(label) and len(label) <= _LONGEST_LABEL:
            return label
    return ""


def _is_drawn(text: pypdfium2.PdfTextPage, field: _Field) -> bool:
    """Return whether the page itself shows a value, as it does where a form was made flat."""
    return not field.is_box and field.value in tidy_prose(str(text.get_text_bounded(*field.box)))


def _annotations(page: pypdfium2.PdfPage) -> Iterator[_Field | str]:
    form = page.formenv
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MOST_ANNOTATIONS)):
        with _annotation(page, index) as annotation:
            if pdfium.FPDFAnnot_GetFlags(annotation) & (
                pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
            ):
                continue
            kind = pdfium.FPDFAnnot_GetSubtype(annotation)
            if kind == pdfium.FPDF_ANNOT_WIDGET and form is not None and (field := _field(form, annotation)):
                yield field
            elif kind == pdfium.FPDF_ANNOT_FREETEXT:
                remark = tidy_prose(_string(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))
                if remark:
                    yield remark


@contextmanager
def _annotation(page: pypdfium2.PdfPage, index: int) -> Iterator[Any]:
    annotation = pdfium.FPDFPage_GetAnnot(page, index)
    try:
        yield annotation
    finally:
        pdfium.FPDFPage_CloseAnnot(annotation)


def _field(form: Any, annotation: Any) -> _Field | None:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    flags = pdfium.FPDFAnnot_GetFormFieldFlags(form, annotation)
    is_ticked = kind in _BOXES and bool(pdfium.FPDFAnnot_IsChecked(form, annotation))
    if not is_ticked and (kind not in _WRITTEN or flags & _PASSWORD):
        return None
    value = tidy_prose(_string(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation))
    shown = _string(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
    name = (
        shown or _string(pdfium.FPDFAnnot_GetFormFieldName, form, annotation).rsplit(".", 1)[-1].split("[")[0]
    )
    rectangle = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(annotation, rectangle)
    left, right = sorted((rectangle.left, rectangle.right))
    bottom, top = sorted((rectangle.bottom, rectangle.top))
    return _Field(tidy_prose(name), value, is_ticked, (left, bottom, right, top)) if value else None


def _string(ask: Callable[..., int], *about: Any) -> str:
    size = ask(*about, None, 0)
    if size <= 2:  # the zero at its end
        return ""
    buffer = ctypes.create_string_buffer(size)
    ask(*about, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", errors="replace")


def xfa_packets(document: pypdfium2.PdfDocument) -> dict[str, bytes]:
    """Return the packets of a form that is made of XML, by their names."""
    packets: dict[str, bytes] = {}
    for index in range(min(pdfium.FPDF_GetXFAPacketCount(document), 100)):
        size = pdfium.FPDF_GetXFAPacketName(document, index, None, 0)
        name = ctypes.create_string_buffer(max(size, 1))
        pdfium.FPDF_GetXFAPacketName(document, index, name, size)
        length = ctypes.c_ulong()
        pdfium.FPDF_GetXFAPacketContent(document, index, None, 0, length)
        content = ctypes.create_string_buffer(max(length.value, 1))
        pdfium.FPDF_GetXFAPacketContent(document, index, content, length.value, length)
        packets[name.value.decode("utf-8", errors="replace")] = content.raw[: length.value]
    return packets
