"""What is embedded before a chunk's text: its document's title, and the headings that it stands under."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePath

from services.parser.parsed_document import Content
from services.parser.tokenizer import ModelTokenizer

SHARE = 4
"""A context is at most the fourth part of what the model reads of a chunk: the text is what is looked for."""

MAX_NAME_CHARACTERS = 300
"""Of a title or a heading, before tokens are counted: a hostile one has millions."""


def own_title(content: Content) -> str:
    """Return what a document calls itself, else its first heading; empty where it has neither."""
    headings = (block.headings[0] for block in content.blocks if block.headings)
    return content.metadata.get("title") or next(headings, "")[:MAX_NAME_CHARACTERS]


def title_of(content: Content, filename: str) -> str:
    """Return a document's own title, else its file's name without the ending."""
    return own_title(content) or PurePath(filename).stem


class ContextWriter:
    """Writes contexts of at most ``budget`` tokens, special ones not counted, a line for each title and heading."""

    def __init__(self, tokenizer: ModelTokenizer, budget: int) -> None:
        self._tokenizer = tokenizer
        self._budget = budget
        self.write = lru_cache(maxsize=1024)(self._write)

    def _write(self, title: str, headings: Sequence[str]) -> str:
        """Return the title and the path of headings, outermost first; what does not fit is cut at words.

        The title has half of the room where there are headings, and the innermost of those come before the others.
        """
        name, *path = _without_repeats([title, *headings])
        lines = [self._cut(name, self._budget // 2 if path else self._budget)]
        inner: list[str] = []
        for heading in reversed(path):
            room = self._budget - self.length("\n".join([*lines, *inner]))
            if not (line := self._cut(heading, room)):
                break
            inner.insert(0, line)
        context = "\n".join(line for line in (*lines, *inner) if line)
        return context if self.length(context) <= self._budget else lines[0]

    def length(self, text: str) -> int:
        """Count the tokens of a text without special ones."""
        return self._tokenizer.count([text])[0] - self._tokenizer.special if text else 0

    def _cut(self, name: str, room: int) -> str:
        """Return the first words of a name that fit; in scripts that don't part them, the first signs."""
        if room <= 0 or not name:
            return ""
        spans = self._tokenizer.spans(name)
        if len(spans) <= room:
            return name
        part = name[: spans[room - 1][1]]
        if not name[len(part)].isspace() and " " in part:
            part = part[: part.rindex(" ")]
        part = part.rstrip()
        return part if self.length(part) <= room else ""


def _without_repeats(names: Sequence[str]) -> list[str]:
    """Return names as single lines, none empty but the first, none twice: a first heading is often the title."""
    lines = [" ".join(name[:MAX_NAME_CHARACTERS].split()) for name in names]
    return [line for index, line in enumerate(lines) if not index or (line and line not in lines[:index])]
