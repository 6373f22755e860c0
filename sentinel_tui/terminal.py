"""What the terminal must be able to do for a console, and what it need not, as terminfo knows it."""

from __future__ import annotations

import curses
import os
import sys

from sentinel_engine.text import inert
from sentinel_tui.command import USAGE, Failure


def need_terminal(instead: str) -> None:
    """Go on with a terminal whose cursor can be moved; one without colours is given none.

    ``instead``: what works without one, for the Failure that is raised otherwise.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure(f"the console needs a terminal; {instead} prints JSON lines without one", USAGE)
    try:
        curses.setupterm(fd=sys.stdout.fileno())
    except curses.error:  # terminfo does not know it: a new one, then, which can do everything
        return
    if curses.tigetstr("cup") is None:
        name = inert(os.environ.get("TERM", ""), 40)
        raise Failure(
            f"the console cannot move the cursor of a terminal of type {name}; set TERM to what yours is, such as "
            f"xterm, or take {instead} for JSON lines",
            USAGE,
        )
    if curses.tigetnum("colors") < 1 and not os.environ.get("COLORTERM"):
        os.environ["NO_COLOR"] = "1"
