"""Pauses between tries: growing, random, and never shorter than the server wants."""

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_ASKED_SECONDS = 86_400
"""A server may ask for any number; beyond what fits into a clock, waiting would raise."""

_JITTER = random.SystemRandom()


def passes(status: int) -> bool:
    """Return whether the same request may be answered later."""
    return status in {408, 425, 429} or status >= 500


def pause(failures: int, retry_after: float = 0.0, first: float = FIRST_PAUSE_SECONDS) -> float:
    """Return the seconds to wait after that many failures, 1 being the first."""
    grown = min(first * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_SECONDS)
    # Random, so that producers that failed together don't come back together.
    return retry_after + _JITTER.uniform(grown / 2, grown)


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that ``Retry-After`` asks for, a number or a date (RFC 9110, 10.2.3); 0 without one."""
    value = headers.get("retry-after", "")
    try:
        asked: float = int(value)
    except ValueError:
        try:
            asked = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return float(min(max(0, asked), LONGEST_ASKED_SECONDS))
