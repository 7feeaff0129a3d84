"""The names that requests may be for.

A page whose name was made to point here (DNS rebinding) is of the same origin as we are, and nothing but its name
gives it away.
"""

import ipaddress
import re
from collections.abc import Callable, Collection

ANY = "*"

_HOST = re.compile(
    rb"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[\w-]+(?:\.[\w-]+)*)\.?)(?::(?P<port>\d{0,5}))?", re.IGNORECASE
)


def parse_host(value: bytes) -> str | None:
    """Return the name in a ``Host``, in lower case and without port and brackets; None where it is no host.

    Of what RFC 3986 calls a registered name, that is what DNS and containers use: no user, no escapes.
    """
    match = _HOST.fullmatch(value)
    if match is None or int(match["port"] or 0) > 65535:
        return None
    if match["name"]:
        return match["name"].decode().lower()
    try:
        return ipaddress.IPv6Address(match["ipv6"].decode()).compressed
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Return whether a name is this machine's own, wherever it is asked (RFC 6761 for ``localhost``)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_check(names: Collection[str], *, asks_for_tokens: bool) -> Callable[[str], bool]:
    """Return the check of a name against ``ALLOWED_HOSTS``; where that is not set, tokens keep others out."""
    if ANY in names or (asks_for_tokens and not names):
        return lambda _: True
    return frozenset(names).__contains__ if names else is_loopback
