"""What the keys do to alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sentinel_engine.match.plain import Filter, parse
from sentinel_engine.snapshot import Alert
from sentinel_engine.text import inert
from sentinel_engine.triage import MAX_NOTE, Wish, parse_alert_filter, parse_wish, proposal
from sentinel_tui.actions.processes import ProcessActions
from sentinel_tui.screens.alert_page import AlertScreen
from sentinel_tui.screens.choice import ChoiceScreen
from sentinel_tui.widgets.line_bar import Prompt

_FILTER: Final = Prompt("filter the alerts: severity>=high rule=reverse-shell comm=sh", parse_alert_filter)
_NOTE: Final = Prompt("note: what you know about it; an empty line takes the note away", lambda text: text[:MAX_NOTE])
_PREVIEWED: Final = 200
_BEFORE, _AFTER = 15, 10


class AlertActions(ProcessActions):
    """On the selected alert, or on all of the selected group."""

    def action_acknowledge(self) -> None:
        """Say that it was seen to, or not."""
        if chosen := self.alerts.chosen:
            on = not all(alert.triage.acknowledged for alert in chosen)
            self.await_answer(self.pipeline.triage.acknowledge(_ids(chosen), on))

    def action_bookmark_alert(self) -> None:
        """Mark it, or take the mark away."""
        if chosen := self.alerts.chosen:
            on = not all(alert.triage.bookmarked for alert in chosen)
            self.await_answer(self.pipeline.triage.bookmark(_ids(chosen), on))

    def action_note(self) -> None:
        """Write something beside it."""
        if chosen := self.alerts.chosen:
            ids, triage = _ids(chosen), self.pipeline.triage
            self.ask_line(_NOTE, chosen[0].triage.note, lambda text: self.await_answer(triage.note(ids, text)))

    def action_suppress(self) -> None:
        """Hide it and what is like it."""
        if alert := self.alerts.alert:
            prompt = Prompt("suppress: rule=… comm=… path=… for 1h", parse_wish, self._preview)
            triage = self.pipeline.triage
            self.ask_line(prompt, proposal(alert), lambda wish: self.await_answer(triage.suppress(wish)))

    def _preview(self, wish: Wish) -> str:
        newest = self.pipeline.snapshot().alerts[-_PREVIEWED:]
        hidden = sum(wish.hides(alert) for alert in newest)
        until = "until the session ends" if wish.seconds is None else f"for {wish.seconds // 60} min"
        return f"would have hidden {hidden} of the last {len(newest)} alerts, {until}; they stay in the session"

    def action_suppressions(self) -> None:
        """List what is suppressed; Enter shows it again."""
        found = self.pipeline.snapshot().suppressions
        if not found:
            self.tell(f"nothing is suppressed; {self.key('alert.suppress')} on an alert hides it and what is like it")
            return
        lines = [
            f"{one.hidden:>6,} hidden  until {one.until[11:16] or 'the end'}  {inert(one.text, 200)}" for one in found
        ]

        def chosen(at: int | None) -> None:
            if at is not None:
                self.await_answer(self.pipeline.triage.unsuppress(found[at].number))

        self.app.push_screen(ChoiceScreen("Suppressed; enter shows it again", lines), chosen)

    def action_filter_alerts(self) -> None:
        """Edit the filter of the alerts."""

        def typed(where: Filter) -> None:
            self.alerts.filter(where if where.text else None)
            self.action_pane("alerts")

        self.ask_line(_FILTER, self.alerts.where.text if self.alerts.where else "", typed)

    def open_alert(self) -> None:
        """Open the selected group, or the page of the selected alert."""
        alert = self.alerts.alert
        if alert is None or self.alerts.toggle_group():
            return

        def look() -> Alert | None:
            return next((one for one in self.pipeline.snapshot().alerts if one.id == alert.id), None)

        self.alerts.select(self.alerts.cursor)  # a newer one must not take its place below the page

        async def act(name: str) -> None:
            if [one.id for one in self.alerts.chosen] == [alert.id]:
                await self.run_action(name)
            else:
                self.tell(
                    "it is in a group now, or has left the list: nothing was done; go back and select it", bad=True
                )

        title = f"Alert: {inert(alert.rule.id)}"
        self.app.push_screen(
            AlertScreen(
                title, look, act, around=lambda: self._around(alert), users=self.users(),
                open_process=lambda: self.open_process_of_alert(alert),
            )
        )  # fmt: skip

    def _around(self, alert: Alert) -> Sequence[dict[str, Any]]:
        """What its process did before and after, as far as it is in the history."""
        seq = alert.event["seq"]
        key = self.pipeline.processes.key_of_alert(alert)
        where = Filter.of_process(*key) if key else parse(f"pid={alert.event['pid']}")
        before = self.pipeline.events(where, _BEFORE, before=seq + 1)
        return [*before, *self.pipeline.events_after(where, _AFTER, seq)]


def _ids(alerts: Sequence[Alert]) -> list[str]:
    return [alert.id for alert in alerts]
