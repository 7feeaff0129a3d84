import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from contracts.failures import DocumentFailed, FailureCode
from services.parser import sandbox as sandbox_module
from services.parser.child_process import ChildDied, ChildNotReady, ChildProcess
from services.parser.parsed_document import ParsedDocument
from services.parser.sandbox import Sandbox
from services.runtime.media_types import HTML, PDF, PLAIN
from tests.support import documents
from tests.support.parser_children import about, children, cpu_ticks
from tests.support.sandbox import MEGABYTE, Write, ignore, sandbox

pytestmark = pytest.mark.anyio


async def busy(child: int) -> None:
    """Wait until a child works at something."""
    began = cpu_ticks(child)
    while cpu_ticks(child) < began + 5:
        await asyncio.sleep(0.01)


async def parse(box: Sandbox, path: Path, media_type: str = PDF) -> ParsedDocument:
    return await box.parse(path, media_type, ignore)


async def code_of(box: Sandbox, path: Path, media_type: str = PDF) -> FailureCode:
    with pytest.raises(DocumentFailed) as failed:
        await parse(box, path, media_type)
    return failed.value.code


async def test_a_document_comes_back_whole_and_the_same_again(write: Write) -> None:
    path = write(documents.pdf(*(f"Page {number} of the book." for number in range(1, 400)), title="Book"))
    told: list[tuple[int, int]] = []

    async def on_progress(done: int, count: int) -> None:
        told.append((done, count))

    async with sandbox(recycled_after=1) as box:
        parsed = await box.parse(path, PDF, on_progress)
        again = await parse(box, path)
    assert parsed == again
    assert parsed.page_count == 399
    assert parsed.metadata == {"title": "Book"}
    assert [told[0], told[-1]] == [(1, 399), (399, 399)]
    assert told == sorted(set(told))


async def test_a_failed_document_leaves_the_child_for_the_next(write: Write) -> None:
    async with sandbox() as box:
        before = children()
        assert await code_of(box, write(documents.scanned_pdf())) is FailureCode.NO_TEXT_LAYER
        assert await code_of(box, write(b"%PDF-"), PDF) is FailureCode.CORRUPT
        assert await code_of(box, write(b"x"), "image/png") is FailureCode.UNSUPPORTED_TYPE
        assert (await parse(box, write(b"Some words."), PLAIN)).chunks[0].text == "Some words."
        assert children() == before


async def test_a_child_that_is_late_is_killed_and_the_next_document_is_parsed(write: Write) -> None:
    async with sandbox(seconds=1) as box:
        before = children()
        assert await code_of(box, write(documents.SLOW_HTML), HTML) is FailureCode.PARSE_TIMEOUT
        assert (await parse(box, write(b"Next."), PLAIN)).page_count is None
        assert not children() & before


async def test_memory_is_limited_and_the_next_document_is_parsed(write: Write) -> None:
    async with sandbox(memory_mb=64) as box:
        assert await code_of(box, write(documents.bomb_pdf(60))) is FailureCode.PARSE_MEMORY
        assert await code_of(box, write(b"word " * 16 * MEGABYTE), PLAIN) is FailureCode.PARSE_MEMORY
        assert (await parse(box, write(documents.pdf("Next.")))).page_count == 1


async def test_a_child_that_crashes_fails_its_document_and_is_replaced(write: Write) -> None:
    async with sandbox() as box:
        (child,) = children()
        parsing = asyncio.create_task(code_of(box, write(documents.SLOW_HTML), HTML))
        await busy(child)
        os.kill(child, signal.SIGSEGV)
        assert await parsing is FailureCode.PARSER_CRASHED
        assert (await parse(box, write(b"Next."), PLAIN)).chunks


async def test_a_child_that_the_kernel_kills_ran_out_of_memory(write: Write) -> None:
    async with sandbox() as box:
        (child,) = children()
        parsing = asyncio.create_task(code_of(box, write(documents.SLOW_HTML), HTML))
        await busy(child)
        os.kill(child, signal.SIGKILL)
        assert await parsing is FailureCode.PARSE_MEMORY


async def test_a_child_that_talks_nonsense_did_not_run_out_of_memory() -> None:
    nonsense = "import sys, time; sys.stdout.write('nonsense'); sys.stdout.flush(); time.sleep(600)"
    command = [sys.executable, "-S", "-c", nonsense]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child = ChildProcess(process)
    with pytest.raises(ChildDied) as died:
        await child.answer()
    assert (died.value.returncode, died.value.of_memory) == (None, False)


async def test_a_pdf_that_crashes_pdfium_is_read_by_pypdf(write: Write) -> None:
    path = write(documents.pdf("A page that stays."))
    async with sandbox() as box:
        (child,) = children()
        os.kill(child, signal.SIGSTOP)
        parsing = asyncio.create_task(parse(box, path))
        for _turn_of_the_loop in range(10):
            await asyncio.sleep(0)  # until the task is in the pipe of the stopped child
        os.kill(child, signal.SIGSEGV)
        os.kill(child, signal.SIGCONT)
        assert (await parsing).chunks[0].text == "A page that stays."


@pytest.fixture
def logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that no earlier test's settings were bound to."""
    monkeypatch.setattr(sandbox_module, "log", structlog.stdlib.get_logger())


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Statements that every parser child runs at its start, as if a library had changed."""

    def upgrade_(statements: str) -> None:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(f"import pypdf, pypdfium2\n{statements}\n")
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return upgrade_


WITHOUT_PYPDF = "del pypdf.PageObject.extract_text"
WITHOUT_PDFIUM = "del pypdfium2.PdfTextPage.get_text_range"


@pytest.mark.usefixtures("logger")
async def test_engines_broken_by_an_upgrade_are_an_internal_failure_with_a_traceback_in_the_log(
    write: Write, upgrade: Callable[[str], None]
) -> None:
    path = write(documents.pdf("One", "Two"))
    upgrade(f"{WITHOUT_PYPDF}; {WITHOUT_PDFIUM}")
    with capture_logs() as logs:
        async with sandbox() as box:
            assert await code_of(box, path) is FailureCode.INTERNAL
    swallowed, bug = logs
    assert (swallowed["event"], swallowed["log_level"]) == ("parser_errors_swallowed", "warning")
    assert [(error["kind"], error["count"]) for error in swallowed["errors"]] == [("AttributeError", 2)] * 2
    assert (bug["event"], bug["log_level"]) == ("parser_child_bug", "error")
    assert "AttributeError: 'PdfTextPage' object has no attribute 'get_text_range'" in bug["detail"]


@pytest.mark.usefixtures("logger")
async def test_an_engine_that_is_broken_alone_is_told_once_a_document(
    write: Write, upgrade: Callable[[str], None]
) -> None:
    path = write(documents.pdf("One", "Two", "Three"))
    upgrade(WITHOUT_PDFIUM)
    with capture_logs() as logs:
        async with sandbox() as box:
            assert (await parse(box, path)).pages_failed == ()
    (warning,) = logs
    (error,) = warning["errors"]
    assert (error["kind"], error["count"]) == ("AttributeError", 3)
    assert error["where"].startswith("services.parser.formats.pdf.pdfium_engine:")


@pytest.mark.usefixtures("logger")
async def test_damage_is_told_to_the_owner_and_is_no_bug(write: Write) -> None:
    path = write(documents.truncated_pdf("A page", "and another", keep=0.3))
    with capture_logs() as logs:
        async with sandbox() as box:
            assert await code_of(box, path) is FailureCode.CORRUPT
    assert [entry["event"] for entry in logs] == ["parser_errors_swallowed"]


async def test_cancelling_kills_the_child_and_frees_its_place(write: Write) -> None:
    async with sandbox() as box:
        (child,) = children()
        parsing = asyncio.create_task(parse(box, write(documents.SLOW_HTML), HTML))
        await busy(child)
        parsing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await parsing
        assert (await parse(box, write(b"Next."), PLAIN)).chunks
        assert child not in children()


async def test_children_work_side_by_side_and_no_more_of_them_than_asked_for(write: Write) -> None:
    paths = [write(documents.pdf(f"Document {number}.")) for number in range(6)]
    async with sandbox(processes=2, recycled_after=2) as box:
        parsed = await asyncio.gather(*(parse(box, path) for path in paths))
        assert len(children()) <= 2
    assert [document.chunks[0].text for document in parsed] == [f"Document {n}." for n in range(6)]


async def test_slow_documents_hold_nobody_up_and_children_that_stood_in_for_theirs_go_with_them(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "SLOW_SECONDS", 0.2)
    async with sandbox(spare=1) as box:
        slow = asyncio.create_task(code_of(box, write(documents.SLOW_HTML), HTML))
        while box.slow_documents == 0:
            await asyncio.sleep(0.01)
        assert (await parse(box, write(b"Next."), PLAIN)).page_count is None
        late = asyncio.create_task(code_of(box, write(documents.SLOW_HTML), HTML))
        while not late.done() and box._children._slow._count < 2:
            await asyncio.sleep(0.01)
        assert (box.slow_documents, len(children())) == (1, 2), "there are more children than may be"
        for task in (slow, late):
            task.cancel()
        await asyncio.gather(slow, late, return_exceptions=True)
        assert (await parse(box, write(b"Last."), PLAIN)).page_count is None
        assert box.slow_documents == 0
        while len(children()) > 1:
            await asyncio.sleep(0.01)


async def test_leaving_ends_all_children(write: Write) -> None:
    async with sandbox(processes=2):
        assert len(children()) == 2
    assert not children()


async def test_a_tokenizer_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    box = Sandbox(processes=1, memory_bytes=MEGABYTE, timeout_seconds=1, embedding_model=str(tmp_path))
    with pytest.raises(ChildNotReady, match=r"tokenizer\.json"):
        await box.__aenter__()
    assert not children()


async def test_children_do_not_inherit_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("INTERNAL_API_KEY", "secret")
    async with sandbox():
        (child,) = children()
        environment = about(child, "environ")
    assert b"PATH=" in environment
    assert b"secret" not in environment
