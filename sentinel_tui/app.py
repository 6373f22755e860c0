"""The console application: its life and its themes. The main screen does the rest."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import psutil
from textual.app import App
from textual.screen import Screen

from sentinel_engine.memory import settle
from sentinel_engine.resources import data_dir
from sentinel_tui import clipboard
from sentinel_tui.config import Options, config_folders
from sentinel_tui.console import MainScreen
from sentinel_tui.keymap import PAGES, PANE, Action, app_bindings, with_keys
from sentinel_tui.screens.choice import ChoiceScreen
from sentinel_tui.screens.event_page import as_text
from sentinel_tui.screens.palette import PaletteScreen
from sentinel_tui.screens.themes import ThemesScreen
from sentinel_tui.state import ViewState
from sentinel_tui.terminal_driver import Link, TerminalDriver
from sentinel_tui.theming import FIRST, load_themes, start_theme, variable_defaults
from sentinel_tui.widgets.lines import LinePane

if TYPE_CHECKING:
    from sentinel_engine.pipeline import Pipeline

_GONE_SECONDS: Final = 0.25  # how often we look whether the terminal is still there
_RECKON_SECONDS: Final = 1.0  # after a stop, until losses are counted
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def _has_shell() -> bool:
    """Whether somebody could let us go on: who is stopped in an orphaned process group stays so for ever."""
    parent = psutil.Process(os.getpgrp()).ppid()
    try:
        return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
    except ProcessLookupError:
        return False


class SentinelApp(App[None]):
    """The console over a started pipeline, which stays its owner's to close.

    ``view`` is how the last run was left, and in the end how this one was. Without options, none of the user's files
    is looked for. Raises ThemeError when the installation has no usable theme, KeymapError for keys that cannot be.
    """

    TITLE = "sentinel-tui"
    CSS_PATH = "console.tcss"
    BINDINGS: ClassVar = app_bindings()
    ENABLE_COMMAND_PALETTE = False  # there is one of our own

    def __init__(
        self, pipeline: Pipeline, options: Options | None = None, view: ViewState | None = None, notice: str = ""
    ) -> None:
        # With NO_COLOR there is no colour at all; otherwise a theme says whether it is of the terminal's own colours.
        super().__init__(driver_class=TerminalDriver, ansi_color=True if "NO_COLOR" in os.environ else None)
        own = [folder / "themes" for folder in config_folders()] if options else []
        options = options or Options(theme=FIRST)
        self._themes, problems = load_themes(data_dir("themes"), own)
        self._problems = [*problems, notice] if notice else problems
        self.view = view or ViewState(welcomed=True)
        self.actions = with_keys(options.keys)
        self.set_keymap({action.id: action.key for action in self.actions if action.id in options.keys})
        self._no_link = Link()
        self._stopped: tuple[float, int] | None = None  # since when, and what had been lost by then
        self.main = MainScreen(pipeline, self.actions, self.view)
        # Movement that is drawn in steps costs bytes on a slow link and tells nothing.
        self.animation_level = "none"
        for theme in self._themes:
            self.register_theme(theme)
        names = [theme.name for theme in self._themes]
        self.theme = start_theme(names, options.theme, self.view.theme, os.environ)
        if options.theme not in {"", *names}:
            self._problems.append(f"the config asks for the theme {options.theme}, but there are {', '.join(names)}")

    @property
    def link(self) -> Link:
        """How far the terminal is behind; without a terminal of our own, not at all."""
        return self._driver.link if isinstance(self._driver, TerminalDriver) else self._no_link

    def key(self, action: str) -> str:
        """The key of the action with this id, as people write it: the user may have given it another."""
        return next(one.shown for one in self.actions if one.id == action)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Textual asks for these before our first theme is set."""
        return variable_defaults()

    def get_default_screen(self) -> Screen[None]:
        """The main screen."""
        return self.main

    def on_mount(self) -> None:
        """Leave in order when told to, or when the terminal is gone."""
        loop = asyncio.get_running_loop()

        def leave(*_: object) -> None:
            # In the midst of what the loop does: it may be waiting for the terminal.
            if isinstance(self._driver, TerminalDriver):
                self._driver.output.leave()
            loop.call_soon_threadsafe(self.exit)

        self._handlers = {number: signal.signal(number, leave) for number in _SIGNALS}
        self.set_interval(_GONE_SECONDS, self._leave_with_terminal)
        self.app_resume_signal.subscribe(self, self._resumed)
        if isinstance(self._driver, TerminalDriver):  # in a process of our own, which has one app
            self.call_after_refresh(settle)
        if self._problems:
            self.main.status.tell("; ".join(self._problems), bad=True)

    def _leave_with_terminal(self) -> None:
        if isinstance(self._driver, TerminalDriver) and self._driver.gone:
            self.exit()

    def action_suspend_process(self) -> None:
        """Ctrl+Z: to the shell; all of us stands still until `fg`."""
        if not _has_shell():
            self.main.tell("there is no shell to go to: this console was started without one")
            return
        self._stopped = time.monotonic(), self.main.pipeline.snapshot().total_lost
        super().action_suspend_process()

    def _resumed(self, _: App[None]) -> None:
        if self._stopped:
            began, lost = self._stopped
            self._stopped = None
            self.set_timer(_RECKON_SECONDS, partial(self._tell_stop, time.monotonic() - began, lost))

    def _tell_stop(self, seconds: float, lost_before: int) -> None:
        lost = self.main.pipeline.snapshot().total_lost - lost_before
        said = f"{lost:,} events were lost meanwhile" if lost else "no event was lost: all waited in the kernel"
        self.main.tell(f"stood still for {seconds:.0f} s; {said}", bad=bool(lost))

    def on_unmount(self) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def action_next_theme(self) -> None:
        """Go to the next theme."""
        names = [theme.name for theme in self._themes]
        self._show_theme(names[(names.index(self.theme) + 1) % len(names)])
        self._keep_theme(True)

    def action_list_themes(self) -> None:
        """Choose a theme; each is shown while it is selected."""
        names = [theme.name for theme in self._themes]
        self.push_screen(ThemesScreen(names, self.theme, self._show_theme), self._keep_theme)

    def _show_theme(self, name: str) -> None:
        self.theme = name
        self.main.redraw()

    def _keep_theme(self, chosen: bool | None) -> None:
        if chosen:
            self.view.theme = self.theme
            colorless = "; but NO_COLOR is set, or TERM has no colours" if self.no_color else ""
            self.main.status.tell(f"theme: {self.theme}{colorless}")

    def take_mouse(self, taken: bool) -> None:
        """Take the mouse, or leave it to the terminal, which then selects with it."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.take_mouse(taken)

    def copy_to_clipboard(self, text: str) -> None:
        """Give this text to the terminal's clipboard, inert and cut to what it takes; Textual's inputs call it too."""
        self._clipboard, said = clipboard.cut(text)
        if self._driver:
            self._driver.write(clipboard.sequence(self._clipboard, clipboard.multiplexer()))
        self.main.tell(said)

    def action_copy_row(self) -> None:
        """Copy the selected line, or the first in view."""
        if isinstance(pane := self.focused, LinePane) and (text := pane.copied()):
            self.copy_to_clipboard(text)
        else:
            self.main.tell("there is no line to copy here")

    def action_copy_field(self) -> None:
        """Copy one field of what is selected."""
        fields = pane.fields() if isinstance(pane := self.focused, LinePane) else {}
        if not fields:
            self.main.tell(f"there are no fields to choose from here; {self.key('pane.copy')} copies the line")
            return
        texts = {name: as_text(value) for name, value in fields.items()}

        def chosen(at: int | None) -> None:
            if at is not None:
                self.copy_to_clipboard(list(texts.values())[at])

        self.push_screen(ChoiceScreen("Copy what?", [f"{name:<12} {text}" for name, text in texts.items()]), chosen)

    def action_help_quit(self) -> None:
        """Ctrl+C: no surprise, a hint."""
        self.main.status.tell(f"press {self.key('quit')} to quit")

    async def action_palette(self) -> None:
        """Every action that can be done here, those of the current pane first."""
        if isinstance(self.screen, PaletteScreen):
            return
        here = self.main.context
        offered = [action for action in self.main.possible() if action.context not in {PANE, *PAGES}]

        def chosen(action: Action | None) -> None:
            if action:
                self.main.run_worker(self.main.do(action), group="commands")

        palette = PaletteScreen(sorted(offered, key=lambda action: action.context != here))
        await self.push_screen(palette, chosen)  # the next key, which may be here already, is for its line
