"""From what an event may be seen by to the streams that see it, so that nobody else is visited for it."""

from collections.abc import Iterator

from contracts.events import LogEvent
from services.api.stream.batches import Batches
from services.api.stream.filters import Key, keys_of
from services.api.stream.subscriber import Subscriber

Followers = dict[Subscriber, None]


class Viewers:
    """Those at the tail who do not see everything, by view."""

    def __init__(self) -> None:
        self._followers: dict[Batches, Followers] = {}
        self._of_key: dict[Key, dict[Batches, None]] = {}

    def __iter__(self) -> Iterator[Subscriber]:
        for followers in self._followers.values():
            yield from followers

    def add(self, subscriber: Subscriber) -> None:
        """Find a subscriber from now on."""
        batches = subscriber.batches
        followers = self._followers.get(batches)
        if followers is None:
            followers = self._followers[batches] = {}
            for key in batches.view.keys:
                self._of_key.setdefault(key, {})[batches] = None
        followers[subscriber] = None
        batches.all_behind = False

    def remove(self, subscriber: Subscriber) -> None:
        """Find a subscriber no longer, if it was found."""
        batches = subscriber.batches
        followers = self._followers.get(batches, {})
        followers.pop(subscriber, None)
        if followers or self._followers.pop(batches, None) is None:
            return
        for key in batches.view.keys:
            found = self._of_key[key]
            del found[batches]
            if not found:
                del self._of_key[key]

    def rouse(self, event: LogEvent, cursor: int) -> Iterator[Subscriber]:
        """Return those who see an event at a cursor and had nothing more to come: now they are behind.

        Costs no more than the candidates of the event's own keys, whoever else is there.
        """
        for key in keys_of(event):
            for batches in self._of_key.get(key, ()):
                if not batches.all_behind and batches.view.shows(event):
                    yield from _let_fall_behind(self._followers[batches], cursor)
                    batches.all_behind = True

    def rouse_all(self, cursor: int) -> Iterator[Subscriber]:
        """The same of everybody, since what came at a cursor is not known."""
        for batches, followers in self._followers.items():
            yield from _let_fall_behind(followers, cursor)
            batches.all_behind = True


def _let_fall_behind(followers: Followers, cursor: int) -> Iterator[Subscriber]:
    for subscriber in followers:
        if not subscriber.is_behind:
            subscriber.is_behind = True
            subscriber.cursor = cursor
            yield subscriber
