"""What to try next with a file that a child died of, or did not get on with: less, and at most twice.

At the beginning of a file, the engine that stands in. At a page, the same again, but that page by the engine that
stands in. After that, the pages that were read: what could be read is used, whatever comes behind.
"""

from dataclasses import dataclass

from contracts.failures import DocumentFailed, FailureCode
from services.parser import ipc
from services.parser.limits.time_budget import Stalled
from services.runtime import media_types


@dataclass
class Reached:
    """How far a try came: ``page_count`` is 0 until the file was open."""

    pages_done: int = 0
    page_count: int = 0

    def note(self, progress: ipc.Progress) -> bool:
        """Note the progress; True when another page is finished."""
        is_further = progress.pages_done > self.pages_done
        if is_further:
            self.pages_done = progress.pages_done
        self.page_count = progress.page_count
        return is_further


def next_try(task: ipc.Task, reached: Reached, failure: DocumentFailed) -> ipc.Task | None:
    """Return the task that follows one which ended so; None when that was all."""
    is_over = task.last_page is not None or reached.pages_done >= reached.page_count > 0
    if task.media_type != media_types.PDF or is_over or not _is_of_one_page(failure):
        return None
    if not task.is_careful and task.pdf_engine == "auto":
        if not reached.page_count:
            return task.model_copy(update={"pdf_engine": "pypdf", "is_careful": True})
        return task.model_copy(update={"avoided_page": reached.pages_done + 1, "is_careful": True})
    if any(page != task.avoided_page for page in range(1, reached.pages_done + 1)):
        return task.model_copy(update={"last_page": reached.pages_done, "is_careful": True})
    return None


def _is_of_one_page(failure: DocumentFailed) -> bool:
    """Return whether a file may fail so because of one page, and be readable without it."""
    return isinstance(failure, Stalled) or failure.code in {
        FailureCode.PARSER_CRASHED,
        FailureCode.PARSE_MEMORY,
    }
