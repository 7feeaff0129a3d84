"""TCP ports that can be listened on, and those among them that are promised to who is yet to listen."""

import socket

from local.failures import StartFailed

LAST_PORT = 32_767
"""Above it Linux hands ports to outgoing connections, which could take one between our check and its use."""

_claims: dict[int, socket.socket] = {}
_names: dict[str, socket.socket] = {}


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a server could listen on ``host``:``port`` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def claim(port: int, host: str = "127.0.0.1") -> bool:
    """Take a free port until this process ends or ``release``; false if it is in use or claimed.

    The claim is a name in Linux's abstract socket namespace. Without it two copies that start in the same
    seconds would choose the same ports, since a broker listens only long after its port was chosen.
    """
    if port in _claims or not is_free(port, host):
        return False
    mark = _mark(f"port-{port}")
    if mark is not None:
        _claims[port] = mark
    return mark is not None


def claim_name(name: str) -> bool:
    """Take something that only one copy of the system may use until this process ends; false if it is taken."""
    if name not in _names and (mark := _mark(name)) is not None:
        _names[name] = mark
    return name in _names


def _mark(name: str) -> socket.socket | None:
    mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        mark.bind(f"\0stagecast-{name}")
    except OSError:
        mark.close()
        return None
    return mark


def release(port: int) -> None:
    """Give a claimed port up."""
    if mark := _claims.pop(port, None):
        mark.close()


def claim_first(start: int) -> int:
    """Claim the first port of loopback from ``start`` up. Raises StartFailed if there is none."""
    for port in range(start, LAST_PORT + 1):
        if claim(port):
            return port
    raise StartFailed(f"No port between {start} and {LAST_PORT} is free.")


def claim_given(port: int, host: str, setting: str) -> int:
    """Claim the port that a person has asked for; 0 asks for any.

    Raises StartFailed with a sentence that names the setting to change.
    """
    if port == 0:
        return claim_first(3000)
    if not claim(port, host):
        raise StartFailed(
            f"Port {port} on {host} is taken by another program: stop that, or set {setting} to a free port."
        )
    return port
