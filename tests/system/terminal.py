"""A real terminal to drive the console in: one tmux server of its own per test."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


class Terminal:
    """Runs one command in tmux at a given size; types keys and reads the screen."""

    def __init__(self, folder: Path, command: list[str], width: int = 120, height: int = 40) -> None:
        # A server that is being ended still has its socket: the next one gets another.
        socket = folder / f"tmux-{len(list(folder.glob('tmux-*')))}"
        self._tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
        self.exit_code = folder / "exit-code"
        self._stderr = folder / "stderr"
        line = f"{shlex.join(command)} 2>{self._stderr}; echo $? >{self.exit_code}; exec sleep 30"
        environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        subprocess.run(
            [*self._tmux, "-u", "new-session", "-d", "-x", str(width), "-y", str(height), line],
            check=True, env=environment,
        )  # fmt: skip

    def screen(self) -> str:
        """What is on the screen now."""
        return subprocess.run([*self._tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True).stdout

    def styled(self) -> str:
        """The same with the escape sequences of its styles."""
        show = [*self._tmux, "capture-pane", "-p", "-e"]
        return subprocess.run(show, check=True, capture_output=True, text=True).stdout

    def type(self, *keys: str) -> None:
        """Press keys, by tmux's names (``Enter``, ``Escape``, ``Tab``, ``Space``)."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the window."""
        subprocess.run([*self._tmux, "resize-window", "-x", str(width), "-y", str(height)], check=True)

    def modes(self) -> str:
        """``1`` or ``0`` each: the alternate screen is shown, the cursor is, mouse events are asked for."""
        form = "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"
        show = [*self._tmux, "display-message", "-p", form]
        return subprocess.run(show, check=True, capture_output=True, text=True).stdout.strip()

    def until(self, what: str, seen: Callable[[str], bool], seconds: float = 20) -> str:
        """The first screen for which ``seen`` holds. Fails with the last screen and stderr when the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if seen(screen):
                return screen
            assert time.monotonic() < deadline, (
                f"not seen within {seconds} s: {what}\n{screen}{self._stderr.read_text()}"
            )
            time.sleep(0.05)  # between two looks at a terminal there is no event to wait for

    def until_text(self, text: str, seconds: float = 20) -> str:
        """The first screen that shows this text."""
        return self.until(text, lambda screen: text in screen, seconds)

    def close(self) -> None:
        """End the command and the tmux server."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)
