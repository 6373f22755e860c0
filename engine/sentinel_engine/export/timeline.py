"""Alerts over time as one inline SVG: bars stacked by severity, and a tick for each thing the operator did."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from sentinel_engine.describe import epoch_ns, rfc3339
from sentinel_engine.snapshot import Severity

_WIDTH, _HEIGHT, _BUCKETS = 960, 140, 120
_COLOURS: Final = {
    Severity.CRITICAL: "#9b1c31", Severity.HIGH: "#c2410c", Severity.MEDIUM: "#a16207", Severity.LOW: "#1d4ed8",
    Severity.INFO: "#4b5563",
}  # fmt: skip
_ORDER: Final = tuple(Severity)


def timeline(alerts: Iterable[tuple[str, Severity]], actions: Iterable[str]) -> str:
    """The picture; 9 bytes are held for each alert. Times are RFC 3339, as everywhere."""
    times, severities = array("q"), array("B")
    for time, severity in alerts:
        times.append(epoch_ns(time))
        severities.append(_ORDER.index(severity))
    if not times:
        return "<p>No alerts.</p>"
    first, last = min(times), max(times)
    span = max(last - first, 1)
    counts = Counter(zip((_bucket(time - first, span) for time in times), severities, strict=True))
    ticks = {_bucket(at - first, span) for at in map(epoch_ns, actions) if first <= at <= last}
    return "\n".join([
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT + 40}" width="100%" role="img" aria-label="Alerts over time">',
        *_bars(counts, first, span),
        *(f'<path d="M{_x(one):.1f} {_HEIGHT + 4}l4 8h-8z"><title>operator</title></path>' for one in sorted(ticks)),
        f'<line x1="0" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}" stroke="#16181d"/>',
        f'<text x="0" y="{_HEIGHT + 28}">{rfc3339(first)[:23]}Z</text>',
        f'<text x="{_WIDTH}" y="{_HEIGHT + 28}" text-anchor="end">{rfc3339(last)[:23]}Z</text>',
        *_legend(),
        "</svg>",
    ])  # fmt: skip


def _bars(counts: Counter[tuple[int, int]], first: int, span: int) -> Iterator[str]:
    totals: Counter[int] = Counter()
    for (bucket, _), count in counts.items():
        totals[bucket] += count
    scale = (_HEIGHT - 20) / max(totals.values())
    for bucket in sorted(totals):
        top = float(_HEIGHT)
        for number, severity in enumerate(_ORDER):
            if count := counts[bucket, number]:
                height = count * scale
                top -= height
                said = f"{count:,} {severity} from {rfc3339(first + bucket * span // _BUCKETS)[:23]}Z"
                yield (
                    f'<rect x="{_x(bucket):.1f}" y="{top:.2f}" width="{_WIDTH / _BUCKETS - 1:.1f}" '
                    f'height="{height:.2f}" fill="{_COLOURS[severity]}"><title>{said}</title></rect>'
                )


def _legend() -> Iterator[str]:
    for number, severity in enumerate(_ORDER):
        x = _WIDTH / 2 - 190 + number * 80
        yield f'<rect x="{x}" y="{_HEIGHT + 20}" width="9" height="9" fill="{_COLOURS[severity]}"/>'
        yield f'<text x="{x + 13}" y="{_HEIGHT + 28}">{severity}</text>'


def _bucket(after: int, span: int) -> int:
    return min(after * _BUCKETS // span, _BUCKETS - 1)


def _x(bucket: int) -> float:
    return bucket * _WIDTH / _BUCKETS
