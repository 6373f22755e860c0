"""The main screen as its actions see it: panes, pipeline, and the ways to ask and to answer the user."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.screen import Screen

from sentinel_engine.users import user_names
from sentinel_tui.screens.confirm import ConfirmScreen, Question
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.line_bar import LineBar, Prompt

if TYPE_CHECKING:
    from sentinel_engine.pipeline import Pipeline
    from sentinel_tui.app import SentinelApp
    from sentinel_tui.widgets.alerts import AlertsPane
    from sentinel_tui.widgets.bars import StatusBar
    from sentinel_tui.widgets.events import EventsPane
    from sentinel_tui.widgets.rules import RulesPane


class ActionScreen(Screen[None]):
    """What every group of actions has at hand. The main screen makes the parts.

    Displays and focus change at once, not with the next style update: the next key may be here.
    """

    pipeline: Pipeline
    events: EventsPane
    rules: RulesPane
    alerts: AlertsPane
    status: StatusBar
    line_bar: LineBar
    pane: str

    def __init__(self) -> None:
        super().__init__()
        self.answer = ""  # to the last command: it is a notice too, but was told already
        self._typed: Callable[[Any], None] | None = None

    @property
    def application(self) -> SentinelApp:
        """The app, which has the terminal."""
        return cast("SentinelApp", self.app)

    def key(self, action: str) -> str:
        """The key of the action with this id, as people write it."""
        return self.application.key(action)

    def users(self) -> Mapping[int, str]:
        """Names of users, by uid; none for a recording, whose host was another."""
        return user_names() if self.pipeline.snapshot().source.live else {}

    def action_pane(self, name: str) -> None:
        """Go to this pane."""
        raise NotImplementedError

    def tell(self, sentence: str, *, bad: bool = False) -> None:
        """Say this in the status line, and below a page that is over it."""
        self.status.tell(sentence, bad=bad)
        if isinstance(page := self.app.screen, Overlay):
            page.tell(sentence, bad=bad)

    def await_answer(self, command: Future[str], offer: str = "") -> None:
        """Tell what comes of a command to the engine: its sentence and the ``offer``, or why it was refused."""

        async def tell() -> None:
            try:
                self.answer, bad = await asyncio.wrap_future(command) + offer, False
            except Exception as error:  # noqa: BLE001 - whatever was refused, the user reads why and goes on
                self.answer, bad = str(error) or type(error).__name__, True
            self.tell(self.answer, bad=bad)

        self.run_worker(tell(), group="commands")

    def confirm(self, question: Question, do: Callable[[], None]) -> None:
        """Ask first; ``do`` is called after a yes."""
        self.app.push_screen(ConfirmScreen(question), lambda yes: do() if yes else self.tell("nothing was done"))

    def ask_line(self, prompt: Prompt, text: str, typed: Callable[[Any], None]) -> None:
        """Let the user edit this line; ``typed`` is called with what the prompt's parser made of it."""
        self._typed = typed
        self.status.display, self.line_bar.display = False, True
        self.line_bar.open(prompt, text)

    def close_line(self) -> None:
        """Show the status line again in place of the line to type into."""
        self.status.display, self.line_bar.display = True, False

    @on(LineBar.Closed)
    def _line_closed(self, event: LineBar.Closed) -> None:
        typed, self._typed = self._typed, None
        self.action_pane(self.pane)
        if event.applied and typed:
            typed(event.value)
