"""Pages that take for ever cost themselves, and nobody else's time."""

import time

import pytest

from contracts.failures import DocumentFailed, FailureCode
from services.parser import ipc
from services.parser.limits.allowance import MOST_LATE_CALLS, Allowance, OutOfTimeError
from services.parser.limits.next_try import Reached, next_try
from services.parser.limits.time_budget import Stalled
from services.runtime.media_types import HTML, PDF, PLAIN
from tests.support import documents
from tests.support.sandbox import Write, ignore, sandbox

GOOD = "A page with words on it."
STALLED = Stalled(30)
CRASHED = DocumentFailed(FailureCode.PARSER_CRASHED, "It crashed.")
TASK = ipc.Task(path="/a", media_type=PDF, filename="a", pdf_engine="auto", stand_in_seconds=15)


@pytest.mark.anyio
async def test_a_page_that_makes_pdfium_abort_and_hangs_pypdf_costs_that_page(write: Write) -> None:
    path = write(documents.pdf_with_endless_pages([GOOD, GOOD, "", GOOD]))
    told: list[int] = []

    async def on_progress(done: int, _count: int) -> None:
        told.append(done)

    async with sandbox(memory_mb=200, stall_seconds=3, stand_in_seconds=0.3) as box:
        parsed = await box.parse(path, PDF, on_progress)
        assert (await box.parse(write(b"Next."), PLAIN, ignore)).chunks
    assert parsed.pages_failed == (3,)
    assert " ".join(chunk.text for chunk in parsed.chunks).count(GOOD) == 3
    assert told == sorted(set(told))
    assert told[-1] == 4


@pytest.mark.anyio
async def test_what_was_read_before_the_second_page_that_takes_for_ever_is_used(write: Write) -> None:
    path = write(documents.pdf_with_endless_pages(["", GOOD, "", GOOD]))
    async with sandbox(stall_seconds=3, stand_in_seconds=0.3, further_seconds=2) as box:
        parsed = await box.parse(path, PDF, ignore)
    assert parsed.pages_failed == (1, 3, 4)
    assert [chunk.text for chunk in parsed.chunks] == [GOOD]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("content", "media_type"), [(documents.pdf_with_endless_pages([""]), PDF), (documents.SLOW_HTML, HTML)]
)
async def test_a_file_of_which_nothing_can_be_read_in_time_says_so(
    write: Write, content: bytes, media_type: str
) -> None:
    async with sandbox(stall_seconds=0.4, stand_in_seconds=0.2, further_seconds=0.2) as box:
        with pytest.raises(DocumentFailed) as failed:
            await box.parse(write(content), media_type, ignore)
    assert failed.value.code is FailureCode.PARSE_TIMEOUT


@pytest.mark.anyio
async def test_a_long_text_is_not_late_while_it_is_being_cut(write: Write) -> None:
    words = b"The sea is described at length by those who know it well and say so.\n\n"
    async with sandbox(stall_seconds=2) as box:
        began = time.monotonic()
        await box.parse(write(words * 16_000), PLAIN, ignore)
        assert time.monotonic() - began > 2


def hang(*, deaf: bool = False) -> None:
    end = time.monotonic() + 5
    interruptions = 0
    while time.monotonic() < end:
        try:
            sum(range(1000))
        except BaseException:
            interruptions += 1
            if not deaf or interruptions > 1:
                raise


@pytest.mark.parametrize("deaf", [False, True])
def test_a_call_that_is_late_is_interrupted_also_if_the_first_time_is_not_heard(deaf: bool) -> None:
    began = time.monotonic()
    allowance = Allowance(0.05)
    with pytest.raises(OutOfTimeError):
        allowance.call(lambda: hang(deaf=deaf))
    assert time.monotonic() - began < 1
    assert allowance.was_exceeded
    assert allowance.call(lambda: "the next has its own time") == "the next has its own time"


def test_after_some_calls_that_were_late_or_when_all_time_is_spent_none_is_made() -> None:
    each, in_all = Allowance(0.02), Allowance(0.02, in_all=True)
    in_all.call(lambda: time.sleep(0.001))
    for allowance, calls in ((each, MOST_LATE_CALLS), (in_all, 1)):
        for _call in range(calls):
            with pytest.raises(OutOfTimeError):
                allowance.call(hang)
        with pytest.raises(OutOfTimeError):
            allowance.call(lambda: None)


def test_what_follows_a_try_is_less_of_the_file_and_comes_to_an_end() -> None:
    opened_by_the_other = next_try(TASK, Reached(), CRASHED)
    assert opened_by_the_other is not None
    assert opened_by_the_other.pdf_engine == "pypdf"
    without_a_page = next_try(TASK, Reached(2, 9), STALLED)
    assert without_a_page is not None
    assert (without_a_page.pdf_engine, without_a_page.avoided_page) == ("auto", 3)
    what_was_read = next_try(without_a_page, Reached(5, 9), CRASHED)
    assert what_was_read is not None
    assert (what_was_read.avoided_page, what_was_read.last_page) == (3, 5)
    assert next_try(what_was_read, Reached(1, 9), STALLED) is None


@pytest.mark.parametrize(
    ("task", "reached", "failure"),
    [
        pytest.param(TASK, Reached(9, 9), STALLED, id="all pages were read"),
        pytest.param(
            TASK,
            Reached(2, 9),
            DocumentFailed(FailureCode.CORRUPT, "It is damaged."),
            id="a property of the file",
        ),
        pytest.param(TASK.model_copy(update={"media_type": HTML}), Reached(), CRASHED, id="no PDF"),
        pytest.param(
            TASK.model_copy(update={"avoided_page": 1, "is_careful": True}),
            Reached(1, 9),
            CRASHED,
            id="none read",
        ),
        pytest.param(
            TASK.model_copy(update={"pdf_engine": "pypdf"}), Reached(), CRASHED, id="nobody stands in"
        ),
    ],
)
def test_nothing_is_tried_again_that_would_be_in_vain(
    task: ipc.Task, reached: Reached, failure: DocumentFailed
) -> None:
    assert next_try(task, reached, failure) is None
