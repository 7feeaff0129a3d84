"""The path of headings that is in force at a place in a document."""


class HeadingPath:
    """Titles from the outermost heading down to the one entered last."""

    def __init__(self) -> None:
        self._path: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """Begin the part under a heading; it ends those under headings of its level and of deeper ones."""
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, title[:MAX_TITLE]))

    @property
    def titles(self) -> tuple[str, ...]:
        """The path, outermost first."""
        return tuple(title for _, title in self._path)


MAX_TITLE = 200
"""Some documents set whole paragraphs as headings."""
