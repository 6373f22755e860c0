"""The terminal: drawn on stdout, never waited for when it is gone, and asked how far it is behind."""

from __future__ import annotations

import io
import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, TextIO

from rich.color import Color, ColorSystem
from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from sentinel_tui.sgr import Styles

# How long a terminal that takes nothing, stopped or with a dead link, may hold us when we are to leave.
_PATIENCE: Final = 0.3
# A terminal answers this at once, after all that was sent before it: so the answer tells how far it is behind.
_QUESTION: Final = "\x1b[6n"
_FRAME_BYTES: Final = 200  # smaller writes are echoes of keys, after which nothing is asked
_NO_ANSWER: Final = 3.0  # seconds without one: this terminal answers none, or the link is dead
_SLOW, _FAST = 0.4, 0.2  # seconds: from the one on a link is slow, under the other it is not any more
_FAST_IN_A_ROW: Final = 8
_TRUE_COLOR: Final = re.compile(r"\b([34])8;2;(\d+);(\d+);(\d+)")


class Link:
    """How far the terminal is behind what was drawn. Drawing and answers come from different threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._answers: bool | None = None  # not known until the first answer
        self._waiting = 0  # characters that were drawn, and not yet written
        self._styles = Styles()
        self._fast = 0
        self.slow = False
        self.delay = 0.0  # seconds that the last frame took to be on the screen

    @property
    def busy(self) -> bool:
        """Whether a frame is still on its way: another one would only queue behind it."""
        with self._lock:
            if self._asked is not None and self._clock() - self._asked > _NO_ANSWER:
                self._asked = None
                if self._answers is None:
                    self._answers = False
            late = self._clock() - self._asked if self._asked is not None else 0.0
            self.slow = self.slow or late > _SLOW
            return self._waiting > 0 or self._asked is not None

    def drawn(self, text: str) -> str:
        """Take note of what is about to be written; what has to be written instead."""
        with self._lock:
            if self.slow:
                text = _TRUE_COLOR.sub(_fewer_bytes, text)
            text = self._styles.shorten(text)
            if len(text) >= _FRAME_BYTES and self._asked is None and self._answers is not False:
                self._asked = self._clock()
                text += _QUESTION
            self._waiting += len(text)
        return text

    def written(self, characters: int) -> None:
        """So much of it was taken by the terminal, or dropped."""
        with self._lock:
            self._waiting -= characters

    def answered(self) -> None:
        """The terminal has shown what was drawn before the question."""
        with self._lock:
            if self._asked is None:
                return
            self.delay, self._asked, self._answers = self._clock() - self._asked, None, True
            self._fast = self._fast + 1 if self.delay < _FAST else 0
            self.slow = self.delay > _SLOW or (self.slow and self._fast < _FAST_IN_A_ROW)


@lru_cache(256)
def _nearest(red: int, green: int, blue: int) -> int:
    return Color.from_rgb(red, green, blue).downgrade(ColorSystem.EIGHT_BIT).number or 0


def _fewer_bytes(found: re.Match[str]) -> str:
    return f"{found[1]}8;5;{_nearest(int(found[2]), int(found[3]), int(found[4]))}"


class Output(io.TextIOBase):
    """The terminal, which may close or stop at any moment: what it no longer takes is dropped.

    Textual's writer thread would end on the first error, or wait for ever; its queue then fills, and the console hangs.
    """

    def __init__(self, terminal: TextIO, link: Link) -> None:
        self._terminal = terminal
        self._link = link
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
        self._link.written(len(text))
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


class TerminalDriver(LinuxDriver):
    """Draws on stdout, where Textual takes stderr: so errors can be sent to a file while the console runs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.link = Link()
        if sys.__stdout__ is not None:
            self.output = Output(sys.__stdout__, self.link)
            self._file = self.output  # type: ignore[assignment] # a text file is all it needs

    @property
    def gone(self) -> bool:
        """Whether the terminal has hung up: no signal says so to who is not its foreground."""
        poll = select.poll()
        poll.register(self.fileno, 0)
        return bool(poll.poll(0))

    def _run_input_thread(self) -> None:
        with suppress(OSError):  # it has hung up, which the app sees by itself
            self.run_input_thread()

    def take_mouse(self, taken: bool) -> None:
        """Take the mouse, or leave it to the terminal."""
        if taken:
            self._enable_mouse_support()
        else:
            self._disable_mouse_support()

    def write(self, data: str) -> None:
        """Send this to the terminal, with a question after a frame."""
        super().write(self.link.drawn(data))

    def process_message(self, message: Message) -> None:
        """Keep the answers to ourselves; all else is for the app."""
        if isinstance(message, events.CursorPosition):
            self.link.answered()
        else:
            super().process_message(message)
