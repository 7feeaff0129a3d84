"""From a term to its dimension in a sparse vector.

The dimension is a hash, so that no dictionary has to be shared. Two terms of an index of a million share one with
each other in one case of a thousand; then a word that is asked for may find another one, of which nothing is
highlighted, and whose chunk has no share in what the passage weighs (``bm25.shares``).
"""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

DIMENSIONS = 1_000_000_000
"""As many as pgvector's sparsevec has; only those that are not zero cost anything."""


@lru_cache(100_000)
def dimension(term: str) -> int:
    """Return the dimension of a term, from 1 to DIMENSIONS, the same in every process and release."""
    digest = blake2b(term.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % DIMENSIONS + 1


def owner_dimension(owner_id: str | None) -> int:
    """Return the number below 0 that stands among a passage's dimensions for its owner.

    So the index itself keeps to an owner's passages, however many others have the words. Two owners who share one
    cost each other time; whose a passage is, is looked at besides.
    """
    return -dimension("" if owner_id is None else f"owner {owner_id}")


def sparsevec(weights: Mapping[int, float]) -> str:
    """Return weights by dimension as pgvector reads a ``sparsevec`` of DIMENSIONS."""
    entries = ",".join(f"{at}:{weight:.5g}" for at, weight in sorted(weights.items()))
    return f"{{{entries}}}/{DIMENSIONS}"
