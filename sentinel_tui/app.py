"""The console application: its life and its themes. The main screen does the rest."""

from __future__ import annotations

import asyncio
import io
import os
import select
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TextIO

from textual.app import App, SystemCommand
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen

from sentinel_engine.resources import data_dir
from sentinel_tui.console import MainScreen
from sentinel_tui.keymap import ACTIONS
from sentinel_tui.theming import load_themes, variable_defaults

if TYPE_CHECKING:
    from sentinel_engine.pipeline import Pipeline

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


# How long a terminal that takes nothing, stopped or with a dead link, may hold us when we are to leave.
_PATIENCE: Final = 0.3


class _Output(io.TextIOBase):
    """The terminal, which may close or stop at any moment: what it no longer takes is dropped.

    Textual's writer thread would end on the first error, or wait for ever; its queue then fills, and the console hangs.
    """

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        # Opened once more: that a write does not wait must not be so for the shell that we share the terminal with.
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
        self._fd = os.open(f"/proc/self/fd/{terminal.fileno()}", flags)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)
        self._until = float("inf")

    def leave(self) -> None:
        """Wait no longer than our patience lasts from now on."""
        self._until = time.monotonic() + _PATIENCE

    def write(self, text: str) -> int:
        left = memoryview(text.encode(errors="replace"))
        with suppress(OSError):
            while left and self._takes_more():
                with suppress(BlockingIOError):
                    left = left[os.write(self._fd, left) :]
        return len(text)

    def _takes_more(self) -> bool:
        while not self._poll.poll(50):
            if time.monotonic() > self._until:
                return False
        return True

    def flush(self) -> None:
        """Nothing: what is written is with the terminal."""

    def fileno(self) -> int:
        return self._terminal.fileno()


class _StdoutDriver(LinuxDriver):
    """Draws on stdout, where Textual takes stderr: so errors can be sent to a file while the console runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if sys.__stdout__ is not None:
            self.output = _Output(sys.__stdout__)
            self._file = self.output  # type: ignore[assignment] # a text file is all it needs


class SentinelApp(App[None]):
    """The console over a started pipeline, which stays its owner's to close.

    Raises ThemeError when the installation has no usable theme.
    """

    TITLE = "sentinel-tui"
    CSS_PATH = "console.tcss"

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(driver_class=_StdoutDriver)
        self._themes, self._theme_problems = load_themes(data_dir("themes"))
        self.main = MainScreen(pipeline)
        # Movement that is drawn in steps costs bytes on a slow link and tells nothing.
        self.animation_level = "none"
        for theme in self._themes:
            self.register_theme(theme)
        self.theme = self._themes[0].name

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
            if isinstance(self._driver, _StdoutDriver):
                self._driver.output.leave()
            loop.call_soon_threadsafe(self.exit)

        self._handlers = {number: signal.signal(number, leave) for number in _SIGNALS}
        for problem in self._theme_problems:
            self.main.status.tell(problem, bad=True)

    def on_unmount(self) -> None:
        """Give the signals back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def action_next_theme(self) -> None:
        """Go to the next theme."""
        names = [theme.name for theme in self._themes]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.main.redraw()
        self.main.status.tell(f"theme: {self.theme}")

    def action_help_quit(self) -> None:
        """Ctrl+C: no surprise, a hint."""
        self.main.status.tell("press q to quit")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - the same on each
        """The command palette: what the keys do."""
        for action in ACTIONS:
            if action.name.startswith("screen."):
                sentence = action.help[:1].upper() + action.help[1:]
                yield SystemCommand(sentence, f"key: {action.shown}", partial(self.run_action, action.name))
