"""The nodes of a page that are seen, in order."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

_UNSEEN = frozenset({
    "-comment", "head", "script", "style", "template", "noscript", "nav", "svg", "math", "iframe", "object",
    "embed", "canvas", "audio", "video", "select", "datalist", "button", "dialog"
})  # fmt: skip
_TITLED = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_HIDING_STYLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_HIDING_ROLES = frozenset({"navigation", "menu", "menubar", "search"})


class Walk:
    """Each node when it opens and when it closes, without recursion: the file decides how deep it nests."""

    def __init__(self, root: LexborNode) -> None:
        self._root = root
        self._skipped: int | None = None

    def skip(self, node: LexborNode) -> None:
        """Leave out what is in the node that was told last."""
        self._skipped = node.mem_id

    def __iter__(self) -> Iterator[tuple[LexborNode, bool]]:
        """Walk below the root, and over it."""
        node: LexborNode | None = self._root
        opens = True
        while node is not None:
            is_root = node.mem_id == self._root.mem_id
            unseen = not is_root and is_unseen(node)
            if not unseen:
                yield node, opens
            if opens and not unseen and node.first_child is not None and node.mem_id != self._skipped:
                node = node.first_child
            elif opens and not unseen and node.tag != "-text":
                opens = False
            elif is_root:
                return
            elif node.next is not None:
                node, opens = node.next, True
            else:
                node, opens = node.parent, False


def is_unseen(node: LexborNode) -> bool:
    """Return whether a browser shows nothing of a node, or only what leads to other pages."""
    if node.tag == "-text":
        return False
    # A heading that opens and closes what is under it is a button.
    is_title = node.tag == "button" and node.parent is not None and node.parent.tag in _TITLED
    if node.tag in _UNSEEN and not is_title:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("role") in _HIDING_ROLES
        or bool(_HIDING_STYLE.search(attributes.get("style") or ""))
    )
