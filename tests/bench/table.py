"""One figure of the benchmark, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure beside its target, when it has one; ``value`` is None for what cannot be measured on this host."""

    name: str
    value: float | None
    unit: str = ""
    target: float | None = None
    note: str = ""
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """``met`` or ``MISSED``, or nothing for a figure without a target."""
        if self.target is None or self.value is None:
            return ""
        met = self.value >= self.target if self.at_least else self.value <= self.target
        return "met" if met else "MISSED"

    def __str__(self) -> str:
        value = "-" if self.value is None else f"{self.value:.4g}"
        sign = "" if self.target is None else f"{'>=' if self.at_least else '<='} {self.target:g}"
        return f"{self.name:<58} {value:>9} {self.unit:<8} {sign:<8} {self.verdict:<6} {self.note}".rstrip()
