"""A terminal at the other end of a link: a pty whose output arrives at so many bytes a second, and is answered.

What the console writes goes into the link at once, as over SSH, where buffers of megabytes lie between: only its own
restraint keeps the screen from falling behind.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import time
from collections import deque
from collections.abc import Callable

_QUESTION = b"\x1b[6n"
_ANSWER = b"\x1b[1;1R"
_KEPT = 1 << 20


class Link:
    """Runs a command at the far end. ``rate``: bytes a second, None for as fast as it is taken.

    ``received``: bytes that arrived; ``behind``: the most seconds that any of them was under way; ``screen``: the
    newest megabyte of what arrived, raw.
    """

    def __init__(
        self, command: list[str], width: int = 120, height: int = 40, rate: int | None = None, *, answers: bool = True,
        environment: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.rate = rate
        self.received = 0
        self.behind = 0.0
        self.screen = b""
        self._answers = answers
        self._way: deque[tuple[float, bytes]] = deque()
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._closed = False
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update(
                {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"} | (environment or {})
            )
            os.execvp(command[0], command)  # noqa: S606 - the child that pty.fork made, no shell
        self.resize(width, height)
        for work in (self._take, self._deliver):
            threading.Thread(target=work, daemon=True).start()

    def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: str | bytes) -> None:
        """Press these."""
        os.write(self._fd, keys.encode() if isinstance(keys, str) else keys)

    def until(self, seen: Callable[[bytes], bool], seconds: float = 20) -> float:
        """Seconds until what has arrived satisfies this. Fails when the time is over."""
        began = time.monotonic()
        with self._news:
            if not self._news.wait_for(lambda: seen(self.screen), seconds):
                raise AssertionError(f"not seen within {seconds} s: {self.screen[-3000:]!r}")
        return time.monotonic() - began

    def forget(self) -> None:
        """Look only at what arrives from now on."""
        with self._lock:
            self.screen = b""

    def measure(self, seconds: float) -> int:
        """Bytes that arrive in this time; ``behind`` counts anew from its beginning."""
        with self._lock:
            before, self.behind = self.received, 0.0
        time.sleep(seconds)
        with self._lock:
            return self.received - before

    def left(self, seconds: float = 10) -> int:
        """The exit code, once it has ended; it is killed when it does not within this time."""
        deadline = time.monotonic() + seconds
        while True:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                self.close()
                raise AssertionError(f"it did not end within {seconds} s")
            time.sleep(0.01)  # a child that ends tells nobody who does not wait for it

    def close(self) -> None:
        """End the command, and hang up."""
        if self._closed:
            return
        self._closed = True
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        os.close(self._fd)

    def _take(self) -> None:
        """Into the link, as fast as the console writes."""
        while not self._closed:
            try:
                if not select.select([self._fd], [], [], 0.1)[0]:
                    continue
                data = os.read(self._fd, 65536)
            except (OSError, ValueError):  # it has hung up
                return
            with self._news:
                self._way.append((time.monotonic(), data))
                self._news.notify_all()

    def _deliver(self) -> None:
        """Out of it, at its rate."""
        while not self._closed:
            with self._news:
                if not self._news.wait_for(lambda: self._way or self._closed, 0.1) or not self._way:
                    continue
                at, data = self._way.popleft()
            step = len(data) if self.rate is None else max(1, self.rate // 50)
            for first in range(0, len(data), step):
                part = data[first : first + step]
                if self.rate:
                    time.sleep(len(part) / self.rate)
                self._arrive(at, part)

    def _arrive(self, at: float, part: bytes) -> None:
        with self._news:
            before = self.screen[-len(_QUESTION) + 1 :]
            self.screen = (self.screen + part)[-_KEPT:]
            self.received += len(part)
            self.behind = max(self.behind, time.monotonic() - at)
            questions = (before + part).count(_QUESTION) if self._answers else 0
            self._news.notify_all()
        if questions and not self._closed:
            os.write(self._fd, _ANSWER * questions)
