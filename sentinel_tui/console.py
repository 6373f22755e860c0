"""The main screen: four panes over one snapshot, and what the keys do to them."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Grid
from textual.events import DescendantFocus, Resize

from sentinel_engine.snapshot import Snapshot
from sentinel_engine.text import inert
from sentinel_tui.actions.alerts import AlertActions
from sentinel_tui.actions.replay import ReplayActions
from sentinel_tui.actions.rules import RuleActions
from sentinel_tui.actions.stream import StreamActions
from sentinel_tui.keymap import ALERTS, REPLAY, RULES, SCREEN, STREAM, TREE, Action, bindings
from sentinel_tui.screens.report import Page, ReportScreen, help_page, loss_page
from sentinel_tui.screens.rule_page import RuleScreen, rule_page
from sentinel_tui.screens.welcome import WelcomeScreen
from sentinel_tui.state import KEPT_LINES, ViewState
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.alerts import AlertsPane
from sentinel_tui.widgets.bars import HeaderBar, KeyBar, StatusBar, TabBar
from sentinel_tui.widgets.events import EventsPane
from sentinel_tui.widgets.line_bar import LineBar
from sentinel_tui.widgets.rules import RulesPane
from sentinel_tui.widgets.tree import TreePane

if TYPE_CHECKING:
    from sentinel_engine.pipeline import Pipeline

# Below either of these the grid folds to one pane with tabs.
_GRID_WIDTH, _GRID_HEIGHT = 100, 30
PANES: Final = (("events", "Events"), ("rules", "Rules"), ("alerts", "Alerts"), ("tree", "Tree"))
_CONTEXTS: Final = {"events": STREAM, "rules": RULES, "alerts": ALERTS, "tree": TREE}
# A snapshot is looked at four times a second, so that what is urgent shows at once; figures and the stream are
# drawn at each second look: half the bytes for a slow link, and nothing flickers.
_POLL_SECONDS: Final = 0.25
_PANE_POLLS: Final = 2
_COVERED_POLLS: Final = 8
_PROGRESS_WIDTH: Final = 20
_RELOADED: Final = re.compile(r" is (re)?loaded: generation \d+, \w+$")


def _limits(snapshot: Snapshot) -> str:
    """What the stream cannot hold, in a few words."""
    off = f"{len(snapshot.off)} kinds off" if snapshot.off else ""
    return " · ".join(filter(None, (inert(snapshot.scope, 200), off)))


class MainScreen(AlertActions, RuleActions, StreamActions, ReplayActions):
    """Polls the pipeline; owns the filter and the pause."""

    BINDINGS: ClassVar = [
        *bindings(SCREEN),
        *bindings(REPLAY),
        Binding("escape", "leave_plain", "leave the plain view", show=False, priority=True),
    ]

    def __init__(self, pipeline: Pipeline, actions: Sequence[Action], view: ViewState) -> None:
        super().__init__()
        self.pipeline = pipeline
        self.actions = actions
        self.view = view
        self._polls = 0
        self._frozen_at: float | None = None
        self._plain = self._plain_froze = False  # the plain view is shown, and it was this that froze it
        self._notices: tuple[str, ...] = ()
        self._problem = ""
        self._runs = 0  # of a recording: the one that is shown
        self._arrivals = 0
        self.header = HeaderBar(id="header")
        self.tabs = TabBar(id="tabs")
        self.events = EventsPane(pipeline, id="events")
        self.rules = RulesPane(id="rules")
        self.alerts = AlertsPane(id="alerts")
        self.processes = TreePane(id="tree")
        self.status = StatusBar(id="status")
        self.line_bar = LineBar(id="line")
        self.keys = KeyBar(id="keys")
        self.pane = "events"

    def compose(self) -> ComposeResult:
        """Header, panes, status, keys."""
        yield self.header
        yield self.tabs
        with Grid(id="panes"):
            yield from (self.events, self.rules, self.alerts, self.processes)
        yield self.status
        yield self.line_bar
        yield self.keys

    async def on_mount(self) -> None:
        """Show the first snapshot as the last run was left, and begin to poll."""
        self.rules.sort_by(self.view.sort)
        self.alerts.grouped, self.alerts.hides_acknowledged = self.view.grouped, self.view.hides_acknowledged
        self.filters.extend(self.view.filters)
        self.searches.extend(self.view.searches)
        self.action_pane(self.view.pane if self.view.pane in dict(PANES) else "events")
        await self.poll()
        self.set_interval(_POLL_SECONDS, self.poll)
        if not self.view.welcomed:
            self.app.push_screen(WelcomeScreen(self.actions))
            self.view.welcomed = True

    def on_unmount(self) -> None:
        """Note how the view is left."""
        self.view.pane, self.view.sort = self.pane, self.rules.sort
        self.view.grouped, self.view.hides_acknowledged = self.alerts.grouped, self.alerts.hides_acknowledged
        self.view.filters, self.view.searches = self.filters[-KEPT_LINES:], self.searches[-KEPT_LINES:]

    def on_resize(self, event: Resize) -> None:
        """Lay the bars out for the new width; not for one that is not the terminal's any more.

        Textual has a screen send itself each size that it was laid out for: two of them would take turns for ever.
        """
        if event.size != self.app.size:
            event.prevent_default()
            return
        self._fold()
        self.call_after_refresh(self._refresh_bars)

    # What is shown.

    async def poll(self) -> None:
        """Take the newest snapshot, unless the terminal has not shown what it was given last."""
        if self.application.link.busy:
            return
        snapshot = self.pipeline.snapshot()
        self._tell_news(snapshot)
        self.rules.trends.note(snapshot.rules, snapshot.elapsed)
        self._polls += 1
        if self.app.screen is not self and self._polls % _COVERED_POLLS:
            return  # below another screen each line that changes makes Textual draw all of it again
        live = self._frozen_at is None
        with self.app.batch_update():
            if live:
                self.alerts.show_alerts(snapshot.alerts, snapshot.hidden)
                self.events.show_alerts(snapshot.alerts)
            if self._polls % _PANE_POLLS == 1 or self.app.screen is not self:
                self._show_header(snapshot)
                self.events.limits = _limits(snapshot)
                if live:
                    await self._begin_anew(snapshot)
                    self.rules.show_rules(snapshot.rules)
                    self.run_worker(self.events.refresh_tail(), group="tail")

    async def _begin_anew(self, snapshot: Snapshot) -> None:
        """Show the events of a recording from its beginning again, when it was sent back."""
        if snapshot.source.runs != self._runs:
            self._runs = snapshot.source.runs
            await self.events.restart()

    def _show_header(self, snapshot: Snapshot) -> None:
        frozen = None if self._frozen_at is None else time.monotonic() - self._frozen_at
        self.header.show(snapshot, frozen, self.application.link)

    def _tell_news(self, snapshot: Snapshot) -> None:
        if (hunt := snapshot.hunt) and hunt.running:
            done = figures.bar(hunt.progress, _PROGRESS_WIDTH)
            self.tell(
                f"{hunt.rule} over the past {done} {hunt.progress:.0%}: {hunt.matches:,} matches in {hunt.events:,} "
                f"events; {self.key('rule.hunt')} stops it"
            )
        if snapshot.notices and snapshot.notices != self._notices:
            self._notices = snapshot.notices
            # The answer to a command is a notice too, but that was told already, and as what it is.
            newest = snapshot.notices[-1]
            if not (self.answer and (newest.endswith(self.answer) or self.answer.endswith(newest))):
                said = f"{newest}{self.offer_hunt()}" if _RELOADED.search(newest) else newest
                self.tell(said, bad=newest in snapshot.warnings)
        if (problem := snapshot.source.problem or snapshot.source.cut) != self._problem:
            self._problem = problem
            self.tell(self._problem, bad=True)
        source = snapshot.source
        if source.goal:
            self.tell(figures.going(source, self.key("replay.play")))
        elif source.arrivals != self._arrivals:
            self.tell(f"at {source.time[11:19]}, {source.share:.0%} of the recording")
        self._arrivals = source.arrivals

    def _refresh_bars(self) -> None:
        self._show_header(self.pipeline.snapshot())
        self.tabs.show(PANES, self.pane)
        self.keys.show([one for one in self.possible() if one.context in {REPLAY, SCREEN, self.context}])

    @property
    def context(self) -> str:
        """Where the keys of the current pane work."""
        return _CONTEXTS[self.pane]

    def possible(self) -> Sequence[Action]:
        """What can be done with this source, whichever pane is current."""
        playing, acting = self.pipeline.playback is not None, self.pipeline.response is not None
        return [
            action
            for action in self.actions
            if (playing or action.context != REPLAY) and (acting or not action.changes_host)
        ]

    def redraw(self) -> None:
        """Draw everything again, in the colours of a new theme."""
        for widget in self.query("*"):
            widget.refresh()

    @on(AlertsPane.Selected)
    def _show_tree(self) -> None:
        self.processes.show_alert(self.alerts.alert, self.users())

    @on(DescendantFocus)
    def _note_pane(self, event: DescendantFocus) -> None:
        # Only what still has the focus: the message may be older than the last keys.
        if event.widget is self.focused and event.widget.id in dict(PANES) and event.widget.id != self.pane:
            self.action_pane(event.widget.id)

    # What the keys do. Displays and focus change at once, not with the next style update: the next key may be here.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a line is typed, keys are text; Tab leaves it, unless it goes on with the line."""
        if self.line_bar.deserted:
            self.close_line()
        if action == "leave_plain" and not self._plain:
            return False  # the key is for the pane
        completed = self.line_bar.completes and parameters == (1,)
        return self.status.display or (action == "next_pane" and not completed)

    def action_pane(self, name: str) -> None:
        """Go to this pane."""
        self.pane = name
        self.close_line()
        self._fold()
        self.set_focus(self.query_one(f"#{name}"))
        self._refresh_bars()

    def _fold(self) -> None:
        """Show all panes, or on a small screen the current one."""
        small = self._plain or self.size.width < _GRID_WIDTH or self.size.height < _GRID_HEIGHT
        self.set_class(small, "-folded")
        self.set_class(self._plain, "-plain")
        for pane, _ in PANES:
            self.query_one(f"#{pane}").display = not small or pane == self.pane

    def action_next_pane(self, step: int) -> None:
        """Go to the next pane, or with -1 to the one before."""
        names = [name for name, _ in PANES]
        self.action_pane(names[(names.index(self.pane) + step) % len(names)])

    def action_export(self) -> None:
        """Write the session as one JSON document."""
        self.await_answer(self.pipeline.export())

    def action_pause(self) -> None:
        """Freeze the view, or let it go on; collection goes on all the time."""
        self._frozen_at = time.monotonic() if self._frozen_at is None else None
        self.events.freeze(self._frozen_at is not None)
        self._polls = 0
        self._show_header(self.pipeline.snapshot())

    def action_plain(self) -> None:
        """This pane alone, without frame and mouse, and still, so that the terminal can select in it; and back."""
        self._plain = not self._plain
        if self._plain:
            self._plain_froze = self._frozen_at is None
        if self._plain_froze:
            self.action_pause()
        self._fold()
        self.application.take_mouse(not self._plain)
        self.call_after_refresh(self.events.fill)
        self.tell(f"plain and still: select with the mouse; {self.key('plain')} goes back" if self._plain else "")

    def action_leave_plain(self) -> None:
        """Back from the plain view."""
        self.action_plain()

    def action_details(self) -> None:
        """All about the selected event, alert or rule."""
        if self.pane == "rules" and (rule := self.rules.rule):
            self.rules.select(self.rules.cursor)  # the page's keys are for this one, whatever is first below it
            self.app.push_screen(
                RuleScreen(f"Rule: {inert(rule.id)}", partial(self._rule_page, rule.id, rule.path), self.run_action)
            )
        elif self.pane == "alerts":
            self.open_alert()
        elif self.pane == "tree":
            self.action_process()
        elif self.pane == "events":
            self.open_event()

    def _rule_page(self, rule_id: str, path: str) -> Page | None:
        snapshot = self.pipeline.snapshot()
        # Two files may claim one id.
        rule = next((one for one in snapshot.rules if (one.id, one.path) == (rule_id, path)), None)
        alerts = [alert for alert in snapshot.alerts if alert.rule.id == rule_id]
        return rule_page(rule, self.rules.trends.of(rule_id), alerts) if rule else None

    def action_loss(self) -> None:
        """What was lost."""
        self.app.push_screen(ReportScreen("Lost, and not collected", loss_page(self.pipeline.snapshot())))

    def action_help(self) -> None:
        """The keys."""
        self.app.push_screen(ReportScreen("Keys", help_page(self.actions, self.context)))

    async def do(self, action: Action) -> None:
        """Do this where it belongs: over no other screen, and in its pane."""
        while self.app.screen is not self:
            self.app.pop_screen()
        if pane := next((pane for pane, context in _CONTEXTS.items() if context == action.context), None):
            self.action_pane(pane)
        doer = self if action.name.startswith("screen.") else self.query_one(f"#{self.pane}")
        await doer.run_action(action.name.removeprefix("screen."))

    async def action_quit(self) -> None:
        """Leave."""
        self.app.exit()

    async def action_list_themes(self) -> None:
        """Choose a theme from the list of them."""
        await self.app.run_action("app.list_themes")

    async def action_next_theme(self) -> None:
        """Change the theme."""
        await self.app.run_action("app.next_theme")
