"""How many examples a door is tried with: the same ones each time, or others, ``FUZZ_EXAMPLES`` of them."""

import os

from hypothesis import HealthCheck, Phase, settings

FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
