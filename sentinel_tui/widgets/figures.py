"""Figures short enough for a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sentinel_engine.snapshot import SourceView, total_lost

_BARS = "▁▂▃▄▅▆▇█"
_WAY = 20


def count(number: float) -> str:
    """``9999``, ``12.4k``, ``1.2M``."""
    return f"{number:.0f}" if number < 10_000 else _scaled(number, 1000, ("", "k", "M", "G", "T"), 100)


def size(number: int) -> str:
    """Bytes: ``64K``, ``1.5M``."""
    return _scaled(number, 1024, ("B", "K", "M", "G", "T"))


def nanoseconds(number: int) -> str:
    """``18ns``, ``1.2µs``, ``40ms``."""
    return _scaled(number, 1000, ("ns", "µs", "ms", "s"))


def elapsed(seconds: float) -> str:
    """``00:12:31``; hours go on past 99."""
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"


def age(seconds: float) -> str:
    """``4s``, ``12m``, ``3h``, ``2d``."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"


def sparkline(values: Sequence[int], width: int) -> str:
    """The last ``width`` values as bars, scaled to the largest; before the first one nothing happened."""
    shown = values[-width:]
    top = max(shown, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, value * len(_BARS) // top)] for value in shown).rjust(width, _BARS[0])


def bar(share: float, width: int) -> str:
    """``███░░``: so much of the whole, from 0 to 1."""
    done = round(max(0.0, min(1.0, share)) * width)
    return "█" * done + "░" * (width - done)


def going(source: SourceView, stop: str) -> str:
    """How far a recording is on its way to where it was sent; ``stop``: the key that stops it."""
    return f"going to {source.goal} {bar(source.progress, _WAY)} {source.progress:.0%}; {stop} stops"


def lost(by_stage: Mapping[str, Mapping[str, int]]) -> str:
    """``0 lost``, or ``1,204 lost (kernel: open 1,200, unlink 4)``: what nobody will see, by stage and kind."""
    stages = [f"{stage}: {kinds(by_stage[stage])}" for stage in by_stage if stage != "history" and by_stage[stage]]
    where = f" ({'; '.join(stages)})" if stages else ""
    return f"{total_lost(by_stage):,} lost{where}"


def kinds(counts: Mapping[str, int]) -> str:
    """``open 1,200, unlink 4``: the most first."""
    return ", ".join(f"{kind} {counts[kind]:,}" for kind in sorted(counts, key=lambda kind: (-counts[kind], kind)))


def _scaled(number: float, base: int, units: Sequence[str], decimals_below: int = 10) -> str:
    """In the largest of these units that leaves at least 1, with one decimal while it is small."""
    left = iter(units)
    unit = next(left)
    while number >= min(base, 999.5) and (larger := next(left, None)):
        number, unit = number / base, larger
    return f"{number:.0f}{unit}" if number >= decimals_below - 0.05 or number == int(number) else f"{number:.1f}{unit}"
