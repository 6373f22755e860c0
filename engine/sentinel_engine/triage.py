"""What the operator makes of alerts: acknowledged, bookmarked, noted, suppressed.

It is kept with the alert, so that it is in the journal and in each export; who did it is an action of the session.
A suppressed alert is made and written like any other: it is only kept from the screen, and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from sentinel_engine.describe import rfc3339
from sentinel_engine.match.plain import ALERT_FIELDS, Filter, FilterError, parse
from sentinel_engine.records import Clock
from sentinel_engine.rules.verdict import is_coverage
from sentinel_engine.snapshot import Alert, SuppressionView, Triage

MAX_NOTE: Final = 1000
_MOST: Final = 100  # suppressions at once
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FOR: Final = re.compile(r"^(?P<text>.*?)(?:^|\s+)for\s+(?P<how>\S.*?)\s*$", re.DOTALL)
_TIME: Final = re.compile(r"(\d{1,6})\s*([smhd])")
_PROPOSED: Final = ("comm", "path", "addr")


def fields(alert: Alert) -> dict[str, Any]:
    """What a filter over alerts looks at: those of its event, and its own."""
    triage = alert.triage
    return alert.event | {
        "rule": alert.rule.id,
        "severity": alert.rule.severity.value,
        "attack": list(alert.rule.attack),
        "message": alert.message,
        "acknowledged": "yes" if triage.acknowledged else "no",
        "bookmarked": "yes" if triage.bookmarked else "no",
        "note": triage.note,
    }


def parse_alert_filter(text: str) -> Filter:
    """The filter over alerts. Raises FilterError."""
    return parse(text, ALERT_FIELDS)


@dataclass(frozen=True, slots=True)
class Wish:
    """A suppression as it was typed: what it hides, and for how many seconds; None for the rest of the session."""

    where: Filter
    seconds: int | None

    def hides(self, alert: Alert) -> bool:
        """Whether it would hide this one. What tells of a rule's coverage is never hidden."""
        return not is_coverage(alert.rule.id) and self.where.accepts(fields(alert))


def parse_wish(text: str) -> Wish:
    """``rule=x comm=cron for 1h``, or ``for ever``. Raises FilterError."""
    found = _FOR.match(text)
    expression, how = (found["text"], found["how"]) if found else (text, "ever")
    where = parse_alert_filter(expression)
    if not where.text:
        raise FilterError("this would hide everything: name at least a rule, a program or a path", 0)
    if how == "ever":
        return Wish(where, None)
    time = _TIME.fullmatch(how)
    if time is None or not int(time[1]):
        raise FilterError(f"how long is {how}? write 30m, 2h, 1d or ever", len(text) - len(how))
    return Wish(where, int(time[1]) * _UNITS[time[2]])


def proposal(alert: Alert) -> str:
    """What is offered to be suppressed for this alert: it, and what is just like it, for an hour."""
    words = [f"rule={alert.rule.id}"]
    for name in _PROPOSED:
        value = alert.event.get(name)
        if isinstance(value, str) and value and '"' not in value:
            words.append(f'{name}="{value}"' if re.search(r"\s", value) else f"{name}={value}")
    return f"{' '.join(words)} for 1h"


@dataclass(slots=True)
class _Suppression:
    number: int
    wish: Wish
    until_ns: int | None  # boot time of events
    hidden: int = 0


class Suppressions:
    """Those of a session. Expiry goes by the events' own time, so that a recording's goes by its own. Engine thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._all: list[_Suppression] = []
        self._made = 0

    def add(self, wish: Wish, now_ns: int) -> int:
        """From now on; its number. Raises FilterError when there are too many."""
        if len(self._all) >= _MOST:
            raise FilterError(f"there are {_MOST} suppressions already; show some of them again first", 0)
        self._made += 1
        until = None if wish.seconds is None else now_ns + wish.seconds * 1_000_000_000
        self._all.append(_Suppression(self._made, wish, until))
        return self._made

    def remove(self, number: int) -> str | None:
        """Its expression; None when there is none of this number."""
        found = next((one for one in self._all if one.number == number), None)
        if found:
            self._all.remove(found)
        return found.wish.where.text if found else None

    def hiding(self, alert: Alert, boot_ns: int, count: int = 1) -> str:
        """The expression that hides an alert of this time, which counts so many; empty when it is to be shown."""
        for one in self._all:
            if (one.until_ns is None or boot_ns < one.until_ns) and one.wish.hides(alert):
                one.hidden += count
                return one.wish.where.text
        return ""

    def expire(self, now_ns: int) -> list[str]:
        """Those whose time is over by now, which leave; a sentence for each."""
        over = [one for one in self._all if one.until_ns is not None and one.until_ns <= now_ns]
        self._all = [one for one in self._all if one not in over]
        return [f"no longer suppressed: {one.wish.where.text} ({one.hidden:,} hidden)" for one in over]

    def view(self) -> tuple[SuppressionView, ...]:
        """As they stand."""
        return tuple(
            SuppressionView(
                one.number, one.wish.where.text, one.hidden,
                "" if one.until_ns is None else rfc3339(self._clock.epoch_ns(one.until_ns)),
            )
            for one in self._all
        )  # fmt: skip


class Book(Protocol):
    """The alerts of the session, as far as an operator changes them. Engine thread."""

    def triage(self, ids: Iterable[str], change: Callable[[Triage], Triage]) -> int:
        """Change what was made of these alerts; how many are still there."""

    def suppress(self, wish: Wish) -> int:
        """Hide what it names from now on, and of what is there; how many that are."""

    def unsuppress(self, number: int) -> str | None:
        """Show again what this one hides; its expression, None when there is none."""


class Host(Protocol):
    """The pipeline, as far as an operator's opinion of alerts is concerned."""

    def at_rest(self, command: Callable[[], str]) -> Future[str]:
        """Call this in the engine thread, between two batches."""

    def record_action(self, action: str, target: str, detail: str) -> None:
        """Write it to the session. Engine thread."""


class TriageControl:
    """What the keys do to alerts. The result of each is one sentence. Any thread."""

    def __init__(self, book: Callable[[], Book], host: Host) -> None:
        self._book = book
        self._host = host

    def acknowledge(self, ids: Sequence[str], on: bool) -> Future[str]:
        """Say that these were seen to, or not."""
        action = "acknowledge" if on else "unacknowledge"
        said = "acknowledged" if on else "not acknowledged any more"
        return self._change(action, said, ids, lambda triage: _with(triage, acknowledged=on))

    def bookmark(self, ids: Sequence[str], on: bool) -> Future[str]:
        """Mark these, or take the mark away."""
        action = "bookmark" if on else "unbookmark"
        said = "bookmarked" if on else "not bookmarked any more"
        return self._change(action, said, ids, lambda triage: _with(triage, bookmarked=on))

    def note(self, ids: Sequence[str], text: str) -> Future[str]:
        """Write this beside the alerts; an empty text takes the note away."""
        text = text[:MAX_NOTE]
        return self._change(
            "note", f"noted: {text}" if text else "note taken away", ids, lambda one: _with(one, note=text)
        )

    def mark_event(self, seq: int, line: str, on: bool) -> Future[str]:
        """Say in the session that this event was bookmarked, or not any more. ``line``: the event in words."""

        def mark() -> str:
            said = f"event {seq} {'bookmarked' if on else 'not bookmarked any more'}: {line}"[:MAX_NOTE]
            self._host.record_action(f"{'' if on else 'un'}bookmark-event", str(seq), said)
            return said

        return self._host.at_rest(mark)

    def suppress(self, wish: Wish) -> Future[str]:
        """Hide what this names."""

        def suppress() -> str:
            hidden = self._book().suppress(wish)
            how_long = "for the rest of the session" if wish.seconds is None else f"for {_in_words(wish.seconds)}"
            said = f"suppressed {how_long}: {wish.where.text}; {hidden:,} on the screen hidden"
            self._host.record_action("suppress", wish.where.text, said)
            return said

        return self._host.at_rest(suppress)

    def unsuppress(self, number: int) -> Future[str]:
        """Show again what this one hides."""

        def unsuppress() -> str:
            text = self._book().unsuppress(number)
            if text is None:
                return "that one has expired by now: what it hid shows again when it next happens"
            said = f"shown again: {text}"
            self._host.record_action("unsuppress", text, said)
            return said

        return self._host.at_rest(unsuppress)

    def _change(self, action: str, said: str, ids: Sequence[str], change: Callable[[Triage], Triage]) -> Future[str]:
        def act() -> str:
            found = self._book().triage(ids, change)
            if not found:
                return "that alert has left the list for newer ones; it is in the session as it was"
            alerts = "1 alert" if found == 1 else f"{found:,} alerts"
            for one in ids:
                self._host.record_action(action, one, said)
            return f"{alerts} {said}"

        return self._host.at_rest(act)


def _with(triage: Triage, **fields: Any) -> Triage:
    return msgspec.structs.replace(triage, **fields)


def _in_words(seconds: int) -> str:
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]} {unit}"
