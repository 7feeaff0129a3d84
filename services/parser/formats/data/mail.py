"""Mail (EML): subject, people and date, then its text; what is attached is named, and is no text of it."""

import email
import email.policy
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

from services.parser.formats.decoding import decode
from services.parser.formats.flow import Flow
from services.parser.formats.html.html import read_into
from services.parser.formats.reading import Reading, refuse_excess
from services.parser.normalization import tidy_lines, tidy_prose
from services.parser.parsed_document import Content

_HEAD = ("Subject", "From", "To", "Cc", "Date")
_LONGEST_FIELD = 2000
_MOST_NESTED = 20


def read(path: Path, reading: Reading) -> Content:
    """Read a mail. Raises DocumentFailed."""
    data = path.read_bytes()
    message = email.message_from_bytes(_without_envelope(data), policy=email.policy.default)
    flow = Flow()
    attached = list(dict.fromkeys(_read_message(message, flow, reading)))
    if attached:
        flow.paragraph(f"Attachments: {', '.join(attached)}")
    about = {"title": _field(message, "Subject"), "author": _field(message, "From")}
    return Content(flow.blocks(), metadata={name: text[:1000] for name, text in about.items() if text})


def _without_envelope(data: bytes) -> bytes:
    """Take off the line that mailboxes put before a mail."""
    data = data.lstrip(b"\r\n\xef\xbb\xbf")
    return data.partition(b"\n")[2] if data.startswith(b"From ") else data


def _read_message(message: Message, flow: Flow, reading: Reading, depth: int = 0) -> Iterator[str]:
    flow.lines(f"{name}: {text}" for name in _HEAD if (text := _field(message, name)))
    yield from _parts(message, flow, reading, depth)


def _parts(part: Message, flow: Flow, reading: Reading, depth: int) -> Iterator[str]:
    """Read the parts of a mail that are text; yield the names of the others."""
    reading.get_on()
    if depth > _MOST_NESTED:
        return
    kind = part.get_content_type()
    if kind == "multipart/alternative":
        yield from _alternative(part, flow, reading, depth)
    elif part.is_multipart():
        inner = [one for one in part.get_payload() if isinstance(one, Message)]
        for one in inner:
            if kind == "message/rfc822":
                yield from _read_message(one, flow, reading, depth + 1)
            else:
                yield from _parts(one, flow, reading, depth + 1)
    elif part.get_content_disposition() == "attachment" or not kind.startswith("text/"):
        if name := tidy_prose(str(part.get_filename() or "")):
            yield name
    else:
        _read_text(part, kind, flow)


def _alternative(part: Message, flow: Flow, reading: Reading, depth: int) -> Iterator[str]:
    """Of parts that say the same, the one that keeps most of its structure."""
    inner = [one for one in part.get_payload() if isinstance(one, Message)]
    for one in reversed(inner):
        before = len(flow.blocks())
        names = list(_parts(one, flow, reading, depth + 1))
        if len(flow.blocks()) > before:
            yield from names
            return


def _read_text(part: Message, kind: str, flow: Flow) -> None:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return
    refuse_excess(len(data))
    charset = part.get_content_charset()
    if kind == "text/html":
        read_into(flow, data, encoding=charset)
    else:
        flow.paragraph(tidy_lines(_decoded(data, charset)))


def _decoded(data: bytes, charset: str | None) -> str:
    try:
        # With what a charset names wrongly, the bytes decide.
        return data.decode(charset or "utf-8") if charset not in {"us-ascii", "ascii"} else decode(data)
    except (LookupError, UnicodeDecodeError):
        return decode(data)


def _field(message: Message, name: str) -> str:
    try:
        value = message.get(name)
    except (ValueError, LookupError, AttributeError, IndexError, TypeError):
        # The parser of heads has bugs that hostile ones find.
        value = None
    return tidy_prose(str(value or ""))[:_LONGEST_FIELD]
