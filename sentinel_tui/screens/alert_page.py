"""All about one alert: what was found, who did it, what the process did around it, what the operator made of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from sentinel_engine.snapshot import Alert
from sentinel_tui.keymap import ALERT, ALERTS, bindings
from sentinel_tui.screens.report import LiveScreen, Page, passed_on
from sentinel_tui.widgets.lines import Line
from sentinel_tui.widgets.paint import fit
from sentinel_tui.widgets.tree import fact, fact_lines, tree_lines

_FIELD_WIDTH: Final = 13
Event = Mapping[str, Any]


class AlertScreen(LiveScreen):
    """An alert's page. ``around`` gives the events of its process around it; it may take a second.

    Enter goes on to its process by ``open_process``.
    """

    BINDINGS: ClassVar = [*passed_on(ALERTS), *bindings(ALERT)]
    contexts = (ALERT, ALERTS)

    def __init__(  # noqa: PLR0913 - what is shown, and where its keys lead
        self,
        title: str,
        look: Callable[[], Alert | None],
        act: Callable[[str], Awaitable[object]],
        *,
        around: Callable[[], Sequence[Event]],
        open_process: Callable[[], None],
        users: Mapping[int, str],
    ) -> None:
        self._around, self._open_process = around, open_process
        self._events: Sequence[Event] | None = None
        super().__init__(title, lambda: alert_page(alert, self._events, users) if (alert := look()) else None, act)

    def on_mount(self) -> None:
        """Look for the events around it, beside the keys."""
        super().on_mount()
        self.run_worker(self._find_events())

    async def _find_events(self) -> None:
        self._events = await asyncio.to_thread(self._around)
        self.look_again()

    def action_open_process(self) -> None:
        """Go on to its process."""
        self._open_process()


def alert_page(alert: Alert, around: Sequence[Event] | None, users: Mapping[int, str]) -> Page:
    """Everything that is known about an alert. ``around``: oldest first; None while they are being looked for."""

    def page(width: int) -> list[Line]:
        lines = fact_lines(alert, width)
        lines += fact("seen", f"×{alert.count}  first {alert.first_time}  last {alert.last_time}", width)
        lines += [line for label, text in _made(alert).items() for line in fact(label, text, width, "accent")]
        lines += fact("id", f"{alert.id}  score {alert.score}", width)
        lines += fact("sha256", f"{alert.rule.sha256} of the rule", width)
        lines += [(), (("Process tree", "accent strong"),), *tree_lines(alert, width, users)]
        lines += [(), (("What the process did around it", "accent strong"),), *_timeline(alert, around, width)]
        lines += [(), (("Event", "accent strong"),)]
        for name, value in alert.event.items():
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines += fact(name, text, width, label_width=_FIELD_WIDTH)
        return lines

    return page


def _made(alert: Alert) -> Mapping[str, str]:
    """What the operator made of it."""
    triage = alert.triage
    marks = [("acknowledged", triage.acknowledged), ("bookmarked", triage.bookmarked)]
    return {
        **({"marks": ", ".join(name for name, on in marks if on)} if any(on for _, on in marks) else {}),
        **({"note": triage.note} if triage.note else {}),
        **({"hidden by": triage.suppressed} if triage.suppressed else {}),
    }


def _timeline(alert: Alert, around: Sequence[Event] | None, width: int) -> list[Line]:
    if around is None:
        return [(("looking for it …", "muted"),)]
    if not around:
        return [(("nothing that is still in the history; an export looks in the recording", "muted"),)]
    return [
        (
            ("▶ " if event["seq"] == alert.event["seq"] else "  ", f"severity-{alert.rule.severity} strong"),
            (event["time"][11:23], "muted"),
            (f" {fit(event['kind'], 12)} ", f"kind-{event['kind']}"),
            (fit(event["detail"], width - 28), "text"),
        )
        for event in around
    ]
