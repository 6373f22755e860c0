"""Which kinds of event are worth their cost: those that somebody asks for, and those the process table lives on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentinel_engine.processes import TABLE_KINDS
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME, KINDS

# What no mask keeps out: it tells of what others do not.
_ALWAYS: Final = sum(1 << number for number in TABLE_KINDS) | KIND_BY_NAME["suppressed"].bit


class Demand:
    """Keeps the source's mask at what is asked for. Engine thread only, but for ``shown``.

    ``shown``: the mask of the kinds that the front end shows or keeps; any thread may set it.
    """

    def __init__(self, set_mask: Callable[[int], None], shown: int) -> None:
        self._set_mask = set_mask
        self.shown = shown
        self._mask = ALL_KINDS

    def follow(self, subscribed: int) -> str:
        """Ask for what these rules and the front end want from now on; a sentence when that is something else."""
        mask = (subscribed | self.shown | _ALWAYS) & ALL_KINDS
        if mask == self._mask:
            return ""
        self._set_mask(mask)
        on, off = mask & ~self._mask, self._mask & ~mask
        self._mask = mask
        said = [f"collected from now on: {_names(on)}"] if on else []
        said += [f"not collected from now on, since no rule and no view asks for them: {_names(off)}"] if off else []
        return "; ".join(said)

    def off(self) -> tuple[str, ...]:
        """The kinds that are not collected now."""
        return tuple(kind.name for kind in KINDS if not self._mask & kind.bit)


def _names(mask: int) -> str:
    return ", ".join(kind.name for kind in KINDS if mask & kind.bit)
