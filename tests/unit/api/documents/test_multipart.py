import asyncio
from collections.abc import Sequence

import pytest
from fastapi import Request
from starlette.types import Message

from services.api.documents.multipart import IncomingFile
from services.api.refusals import Refused

BOUNDARY = "b"
END = f"--{BOUNDARY}--\r\n"


def part(name: str, filename: str, content: str) -> str:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return f"{head}{content}\r\n"


def incoming(
    body: str, *, pieces: int = 3, is_cut_off: bool = False, max_bytes: int = 50_000
) -> IncomingFile:
    """A file whose body arrives in pieces, or whose client goes away after them."""
    data = body.encode()
    size = max(1, len(data) // pieces)
    messages: list[Message] = [
        {"type": "http.request", "body": data[at : at + size], "more_body": True}
        for at in range(0, len(data), size)
    ]
    messages.append({"type": "http.disconnect"} if is_cut_off else {"type": "http.request", "body": b""})
    messages.reverse()

    async def receive() -> Message:
        return messages.pop()

    headers = [(b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode())]
    return IncomingFile(Request({"type": "http", "headers": headers}, receive), max_bytes=max_bytes)


def read(file: IncomingFile) -> bytes:
    async def gather() -> Sequence[bytes]:
        return [data async for data in file.body()]

    return b"".join(asyncio.run(gather()))


@pytest.mark.parametrize("pieces", [1, 2, 7, 50, 100_000])
def test_the_file_comes_as_it_was_sent_however_it_is_cut(pieces: int) -> None:
    file = incoming(
        part("other", "o.txt", "not this") + part("file", "a.txt", "a\r\n-b--") + END, pieces=pieces
    )
    assert read(file) == b"a\r\n-b--"
    assert (file.filename, file.file_type, file.size) == ("a.txt", "text/plain", 7)


@pytest.mark.parametrize("pieces", [1, 2, 7, 50])
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (part("file", "a.txt", "one") + part("file", "b.txt", "two") + END, "more than one field named file"),
        (part("file", "a.txt", "one, and then nothing").removesuffix("\r\n"), "ends in the middle"),
        (part("file", "a.txt", ""), "ends in the middle"),
        (part("file", "a.txt", "") + END, "The file is empty"),
        (part("other", "a.txt", "one") + END, "no field named file"),
    ],
)
def test_a_form_that_does_not_hold_one_whole_file_is_refused(body: str, sentence: str, pieces: int) -> None:
    with pytest.raises(Refused, match=sentence) as refused:
        read(incoming(body, pieces=pieces))
    assert refused.value.status == 422


def test_a_client_that_goes_away_in_the_middle_is_no_bug() -> None:
    with pytest.raises(Refused, match="cut off"):
        read(incoming(part("file", "a.txt", "one"), is_cut_off=True))


def named(disposition: str) -> str:
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: text/plain\r\n\r\n"
    )
    file = incoming(head + "text\r\n" + END)
    assert read(file) == b"text"
    return file.filename


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('name="file"; filename="a.txt"; filename*=UTF-8\'\'%e2%82%ac.txt', "€.txt"),
        ('filename*=utf-8\'en\'%e2%82%ac.txt; filename="a.txt"; name="file"', "€.txt"),
        ("name=file; filename*=iso-8859-1''%e9.txt", "é.txt"),
        ('name="file"; filename="a.txt"; filename*=UTF-7\'\'b.txt', "a.txt"),
        ('name="file"; filename="a.txt"; filename*=b.txt', "a.txt"),
        ("name=\"file\"; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd%00%1b", "passwd"),
        ('name="file"; filename="a \\"b\\"; c.txt"', 'a "b"; c.txt'),
        ('name="file"; filename="C:\\files\\a.txt"', "a.txt"),
        ('name="file";\r\n filename="folded.txt"', "folded.txt"),
        ('name="file"; filename="€.txt"', "€.txt"),
        ('name="file"', "document"),
    ],
)
def test_the_name_of_a_file_is_read_as_it_was_meant(disposition: str, filename: str) -> None:
    assert named(disposition) == filename


@pytest.mark.parametrize("pieces", [1, 2, 50])
@pytest.mark.parametrize("name", ["file", "other"])
def test_a_part_with_a_head_that_is_too_large_is_refused(name: str, pieces: int) -> None:
    large = part(name, "a" * 200_000, "one") + part("file", "a.txt", "two") + END
    with pytest.raises(Refused, match="head that is too large") as refused:
        read(incoming(large, pieces=pieces, max_bytes=1_000_000))
    assert refused.value.status == 422


def test_the_heads_of_all_parts_together_are_bounded() -> None:
    many = "".join(part(f"other-{number}", "a" * 1000, "") for number in range(100))
    with pytest.raises(Refused, match="head that is too large"):
        read(incoming(many + part("file", "a.txt", "two") + END, max_bytes=1_000_000))


def test_a_head_of_the_usual_size_is_taken_whatever_else_is_in_it() -> None:
    assert read(incoming(part("file", "a" * 10_000, "one") + END)) == b"one"
    bare = f"--{BOUNDARY}\r\n\r\nof nobody\r\n"
    assert read(incoming(bare + part("file", "a.txt", f"\r\n--{BOUNDARY}x\r\n-") + END)) == b"\r\n--bx\r\n-"
