"""From the bytes of a page to the tree that a browser would show."""

import codecs
import re

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from services.parser.formats.decoding import decode
from services.runtime.media_types import HEAD_BYTES
from services.runtime.text_encoding import unicode_encoding

_DECLARED_WITHIN = 4096
_AS_BROWSERS_READ = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932",
    "euc_kr": "cp949", "iso8859-9": "cp1254", "tis-620": "cp874",
}  # fmt: skip
"""People name the smaller set and mean the larger one (WHATWG Encoding, 4.2)."""
_GOOD_FOR_BROKEN = 20

_IS_XML = re.compile(r"\s*<\?xml\b|[^>]{0,400}<html\b[^>]*\bxmlns\s*=", re.IGNORECASE)
_SELF_CLOSED = re.compile(r"<([a-zA-Z][\w.:-]*)((?:\s[^<>]*)?)/>")
_VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"
})  # fmt: skip


def parse_html(data: bytes, *, is_xml: bool = False, encoding: str | None = None) -> LexborHTMLParser:
    """Parse a page by its mark, else by ``encoding``, else as it declares, else as its bytes look."""
    text = _decoded(data, encoding)
    if is_xml or _IS_XML.match(text[:_DECLARED_WITHIN]):
        # In XHTML an element may end as it begins; in HTML all that follows would be its content.
        text = _SELF_CLOSED.sub(_closed, text)
    return _tree(text)


def _closed(tag: re.Match[str]) -> str:
    name, attributes = tag.groups()
    return tag[0] if name.lower() in _VOID else f"<{name}{attributes}></{name}>"


def _tree(source: str) -> LexborHTMLParser:
    """Parse what any text is by the standard; raises MemoryError, for which Lexbor has no word of its own."""
    try:
        return LexborHTMLParser(source)
    except SelectolaxError as error:
        raise MemoryError from error


def _decoded(data: bytes, encoding: str | None) -> str:
    told_by_bytes = unicode_encoding(data[:HEAD_BYTES])
    # What reads as UTF-8 in all its letters is UTF-8, whatever is declared.
    if told_by_bytes and (told_by_bytes != "utf-8" or not data[:HEAD_BYTES].isascii()):
        return decode(data)
    codec = _codec(encoding) or _codec(_declared(data[:_DECLARED_WITHIN]))
    if codec:
        text = data.decode(codec, errors="replace")
        if text.count("\ufffd") * _GOOD_FOR_BROKEN <= len(data) - len(data.translate(None, _HIGH)):
            return text
    return decode(data)


_HIGH = bytes(range(0x80, 0x100))


def _declared(head: bytes) -> str | None:
    """The encoding that a page names where browsers look for it: not in scripts, comments or attributes."""
    source = head.decode("latin-1")
    if match := re.match(r"\s*<\?xml[^>]*\bencoding\s*=\s*[\"']([\w.:-]+)", source):
        return match[1]
    tree = _tree(source)
    for meta in tree.css("meta[charset], meta[http-equiv]"):
        stated = meta.attributes.get("charset") or meta.attributes.get("content") or ""
        if match := re.search(r"(?:charset\s*=\s*[\"']?|^)([\w.:-]+)\s*[\"']?\s*$", stated):
            return match[1]
    return None


def _codec(name: str | None) -> str | None:
    """The codec of a name, unless it is none for text, or one of whose bytes these can't be."""
    if not name:
        return None
    try:
        codec = codecs.lookup(name)
        b"a".decode(name)  # there are codecs that make no text
    except (LookupError, UnicodeError, ValueError):
        return None
    # A page in which its declaration could be read byte by byte is in no wide encoding.
    return (
        None
        if codec.name.startswith(("utf-16", "utf-32", "utf-8"))
        else _AS_BROWSERS_READ.get(codec.name, codec.name)
    )
