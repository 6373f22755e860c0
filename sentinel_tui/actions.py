"""Everything a key can do, once: bindings, footer, help and command palette are made from this list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding, BindingType

# Where a key works. The screen's keys work everywhere on the main screen.
SCREEN, PANE, STREAM, RULES, ALERTS = "anywhere", "any pane", "events", "rules", "alerts"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: Textual's ``key`` names, the method ``name``, and what the user reads.

    ``label`` is for the footer; an empty one is not shown there. ``shown`` is how people write the key.
    """

    key: str
    name: str
    shown: str
    label: str
    help: str
    context: str = SCREEN


# In the order of the footer: what comes first stays longest on a narrow terminal.
ACTIONS: Final[Sequence[Action]] = (
    Action("question_mark", "help", "?", "help", "show this page"),
    Action("q", "quit", "q", "quit", "leave; the session stays on disk"),
    Action("space", "toggle_rule", "space", "on/off", "switch the selected rule on or off"),
    Action("slash", "filter", "/", "filter", "filter the events; an empty filter shows all"),
    Action("p", "pause", "p", "pause", "freeze the view; collection goes on"),
    Action("r", "reload_rule", "r", "reload", "load the selected rule's file again"),
    Action("R", "reload_all", "R", "all", "load every rule again, and take in new ones"),
    Action("e", "export", "e", "export", "write the session so far as one JSON file"),
    Action("t", "next_theme", "t", "theme", "change the theme"),
    Action("tab", "next_pane(1)", "tab", "pane", "go to the next pane"),
    Action("shift+tab", "next_pane(-1)", "shift+tab", "", "go to the pane before"),
    Action("1", "pane('events')", "1", "", "go to the events"),
    Action("2", "pane('rules')", "2", "", "go to the rules"),
    Action("3", "pane('alerts')", "3", "", "go to the alerts"),
    Action("4", "pane('tree')", "4", "", "go to the process tree"),
    Action("up,k", "step(-1)", "↑ k", "", "one line up; in the events this stops following", PANE),
    Action("down,j", "step(1)", "↓ j", "", "one line down", PANE),
    Action("pageup", "page(-1)", "pgup", "", "one page up", PANE),
    Action("pagedown", "page(1)", "pgdn", "", "one page down", PANE),
    Action("home", "first", "home", "", "the first line; in the alerts, stay on the newest", PANE),
    Action("end", "last", "end", "", "the last line; in the events, follow again", PANE),
    Action("f", "last", "f", "", "follow the newest events again", STREAM),
    Action("enter", "details", "enter", "details", "all about the selected alert: event, tree, logs", ALERTS),
)


def bindings(context: str) -> list[BindingType]:
    """Textual's bindings for the actions of this context."""
    return [Binding(a.key, a.name, a.label or a.help, show=False) for a in ACTIONS if a.context == context]
