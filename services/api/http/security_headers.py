"""Headers that take from a browser what our answers don't need. A route's own value of one goes first."""

from starlette.types import Scope

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        # One, which lets through the address of the one worker that all tabs share, and nothing else.
        "trusted-types stagecast-worker",
    )
)

_ALWAYS = (
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
# What an owner sees must not stay in a cache that the next user of the browser, or a proxy, reads from.
_PRIVATE = ((b"cache-control", b"no-store"),)
_ENCRYPTED = ((b"strict-transport-security", b"max-age=31536000"),)


def security_headers(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers for an answer to this request."""
    private = _PRIVATE if scope["path"].startswith("/api/") else ()
    return _ALWAYS + private + (_ENCRYPTED if scope["scheme"] == "https" else ())
