"""When to try again: growing, random pauses, and never before the server wants it."""

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

_JITTER = random.SystemRandom()


def passes(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status in {408, 425, 429} or status >= 500


def pause(failures: int, retry_after: float = 0.0, first: float = FIRST_PAUSE_SECONDS) -> float:
    """Seconds to wait after that many failures, 1 being the first."""
    grown = min(first * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_SECONDS)
    # Random, so that producers that failed together don't come back together.
    return retry_after + _JITTER.uniform(grown / 2, grown)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or a date (RFC 9110, 10.2.3); 0 without one."""
    value = headers.get("retry-after", "")
    try:
        return max(0.0, float(int(value)))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
