"""A place in a recording, as people write it: ``+90s``, ``-5m``, ``10:22:31``, ``50%``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sentinel_engine.records import Clock

_S: Final = 1_000_000_000
_DAY: Final = 86_400 * _S
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_OFFSET: Final = re.compile(r"([+-])(\d{1,9}(?:\.\d{1,9})?)([smh])", re.ASCII)
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,9})?)\s?%", re.ASCII)
_OF_DAY: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?", re.ASCII)
_HOW: Final = "write +90s, -5m, 10:22:31 (UTC), 2026-11-23T10:22:31 or 50%"


class PlaceError(ValueError):
    """No place in this recording; one sentence with what to write instead."""


@dataclass(frozen=True, slots=True)
class Place:
    """So far from here, a share of the whole, a time of day, or a time: the one that is not None; ns but ``share``."""

    text: str
    offset: int | None = None
    share: float | None = None
    of_day: int | None = None
    epoch: int | None = None

    def boot_ns(self, here: int, span: tuple[int, int], clock: Clock) -> int:
        """The boot time meant, in a recording of this span, when it is ``here``. Raises PlaceError."""
        first, last = span
        if self.offset is not None:
            return min(last, max(first, here + self.offset))
        if self.share is not None:
            return first + round((last - first) * self.share)
        # Who writes 10:22:31 means all of that second, and the first event is somewhere in the midst of one.
        begin, end = clock.epoch_ns(first) // _S * _S, clock.epoch_ns(last)
        if self.of_day is not None:
            wanted = begin - begin % _DAY + self.of_day
            wanted += _DAY * (wanted < begin)
        else:
            wanted = self.epoch or 0
        if not begin <= wanted <= end:
            raise PlaceError(f"{self.text} is not in this recording, which goes from {clock_text(begin)} to "
                             f"{clock_text(end)} UTC")  # fmt: skip
        return max(first, wanted - clock.offset_ns)


def parse_place(line: str) -> Place:
    """The place that this line means. Raises PlaceError."""
    text = line.strip()
    if found := _OFFSET.fullmatch(text):
        return Place(text, offset=int(f"{found[1]}1") * round(float(found[2]) * _UNITS[found[3]] * _S))
    if (found := _SHARE.fullmatch(text)) and float(found[1]) <= 100:
        return Place(text, share=float(found[1]) / 100)
    if found := _OF_DAY.fullmatch(text):
        hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
        fraction = int((found[4] or "").ljust(9, "0"))
        return Place(text, of_day=((hours * 60 + minutes) * 60 + seconds) * _S + fraction)
    try:
        time = datetime.fromisoformat(text)
        return Place(text, epoch=int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()) * _S)
    except (ValueError, OverflowError) as error:
        raise PlaceError(f"{text[:40] or 'nothing'} is no place in a recording: {_HOW}") from error


def clock_text(epoch_ns: int) -> str:
    """``10:22:31``, UTC."""
    return f"{epoch_ns // _S // 3600 % 24:02d}:{epoch_ns // _S // 60 % 60:02d}:{epoch_ns // _S % 60:02d}"
