"""When a rule that fails again and again is left out, and for how long."""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_FAILURES: Final = 5
FAILURE_WINDOW: Final = 60.0
FIRST_BACKOFF, LONGEST_BACKOFF = 30.0, 900.0


class Quarantine:
    """One rule's failures. Five within a minute shut it out; each time for twice as long. Times in seconds."""

    def __init__(self) -> None:
        self._failures: deque[float] = deque()
        self._retry_at = 0.0
        self.backoff = 0.0

    def patience(self, now: float) -> int:
        """How many more failures within the minute shut it out."""
        while self._failures and self._failures[0] < now - FAILURE_WINDOW:
            self._failures.popleft()
        return MAX_FAILURES - len(self._failures)

    @property
    def failures(self) -> int:
        """How many there were within the minute."""
        return len(self._failures)

    def note(self, failures: int, now: float) -> bool:
        """Count these failures; True when the rule is to be left out for ``backoff`` seconds."""
        self._failures.extend([now] * failures)
        if self.patience(now) > 0:
            return False
        # A rule that has behaved for as long as the longest back-off starts again from the first one.
        forgiven = now - self._retry_at > LONGEST_BACKOFF
        self.backoff = FIRST_BACKOFF if forgiven else min(max(FIRST_BACKOFF, 2 * self.backoff), LONGEST_BACKOFF)
        self._retry_at = now + self.backoff
        return True

    def left(self, now: float) -> float:
        """Seconds until the rule is tried again; 0 when it may be."""
        return max(0.0, self._retry_at - now)

    def release(self) -> None:
        """Forget the failures; the back-off goes on from where it was."""
        self._failures.clear()
