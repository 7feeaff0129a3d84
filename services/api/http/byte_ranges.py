"""Byte ranges and conditions of a request (RFC 9110, 13 and 14), for what has a strong entity tag and no date."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain

from services.api.refusals import RangeNotSatisfiable

ByteRange = tuple[int, int]
"""First byte, and the one after the last."""

MAX_RANGES = 100
"""More in one request is no honest wish: they are ignored, as RFC 9110 (14.2) advises, and the whole is sent."""

_SPEC = re.compile(r"([0-9]{0,18})-([0-9]{0,18})")
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def is_unmodified(asked: Mapping[str, str], tag: str) -> bool:
    """Return whether the caller has what ``tag`` names already (``If-None-Match``)."""
    known = asked.get("if-none-match", "")
    return known.strip() == "*" or tag in _TAG.findall(known)


def wanted_ranges(asked: Mapping[str, str], tag: str, size: int) -> Sequence[ByteRange]:
    """Return the parts that are asked for, in order and without overlaps; none for the whole.

    A header that can't be read is ignored, and so is one for another version (``If-Range``). Raises
    RangeNotSatisfiable.
    """
    header = asked.get("range", "")
    if asked.get("if-range", tag) != tag:
        return ()
    unit, _, specs = header.partition("=")
    found = [_SPEC.fullmatch(spec.strip()) for spec in specs.split(",")]
    if unit.strip().lower() != "bytes" or len(found) > MAX_RANGES:
        return ()
    wanted: list[ByteRange] = []
    for match in found:
        if match is None or match[0] == "-" or (match[1] and match[2] and int(match[2]) < int(match[1])):
            return ()
        wanted.append(_resolved(match[1], match[2], size))
    within = sorted((start, end) for start, end in wanted if start < end)
    if not within:
        raise RangeNotSatisfiable(size)
    return _joined(within)


def _resolved(first: str, last: str, size: int) -> ByteRange:
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _joined(ranges: Sequence[ByteRange]) -> list[ByteRange]:
    joined = [ranges[0]]
    for start, end in ranges[1:]:
        before, reached = joined[-1]
        if start <= reached:
            joined[-1] = before, max(reached, end)
        else:
            joined.append((start, end))
    return joined


def part_heads(ranges: Sequence[ByteRange], size: int, media_type: str, boundary: str) -> list[bytes]:
    """Return what goes before each part of a ``multipart/byteranges``, and last what goes behind them all."""
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {content_range(one, size)}\r\n\r\n"
        for one in ranges
    ]
    return [text.encode() for text in chain(heads, [f"\r\n--{boundary}--\r\n"])]


def content_range(one: ByteRange, size: int) -> str:
    """Return a part's place as the header ``Content-Range`` says it."""
    return f"bytes {one[0]}-{one[1] - 1}/{size}"
