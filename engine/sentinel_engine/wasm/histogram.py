"""The driver's log-linear histogram of nanoseconds: 16 steps in each power of two."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

BUCKETS: Final = 1024
_STEPS: Final = 16


def value_of(bucket: int) -> int:
    """The largest number of nanoseconds that falls into this bucket."""
    if bucket < _STEPS:
        return bucket
    exponent, step = divmod(bucket, _STEPS)
    return ((_STEPS + step + 1) << (exponent - 1)) - 1


def percentile(counts: Sequence[int], share: float) -> int:
    """Nanoseconds that this share (0 to 1) of the calls did not exceed, at most 6 % too high; 0 without calls."""
    wanted = share * sum(counts)
    seen = 0
    for bucket, count in enumerate(counts):
        seen += count
        if count and seen >= wanted:
            return value_of(bucket)
    return 0


def added(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Both histograms in one; each may lack its last, empty buckets."""
    return [a + b for a, b in zip_longest(first, second, fillvalue=0)]
