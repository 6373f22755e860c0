"""Everything a key can do, once: bindings, footer, help and command palette are made from this list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding, BindingType

# Where a key works. The screen's keys work everywhere on the main screen.
SCREEN, PANE, STREAM, RULES, ALERTS = "Anywhere", "In any pane", "In the events", "In the rules", "In the alerts"
REPLAY, TREE = "In a replay", "In the process tree"
PROCESSES = "Among the processes"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: Textual's names of the ``key`` and the action, and what the user reads.

    ``label`` is for the footer; an empty one is not shown there. ``shown`` is how people write the key.
    """

    key: str
    name: str
    shown: str
    label: str
    help: str
    context: str = SCREEN
    changes_host: bool = False  # not there with --read-only, nor in a replay


def _respond(context: str) -> Action:
    return Action(
        "K", "screen.respond", "K", "kill", "kill, stop or continue the process, or all it started: asks", context, True
    )


# In the order of the footer: what comes first stays longest on a narrow terminal. One list for each context.
_ALWAYS: Final = (
    Action("question_mark", "screen.help", "?", "help", "show this page"),
    Action("q", "screen.quit", "q", "quit", "leave; the session stays on disk"),
    Action("slash", "screen.filter", "/", "filter", "filter the events; an empty filter shows all"),
    Action("p", "screen.pause", "p", "pause", "freeze the view; collection goes on"),
)
_SCREEN: Final = (
    Action("o", "screen.scope", "o", "scope", "report only some users, process trees or cgroups; or leave some out"),
    Action("e", "screen.export", "e", "export", "write the session so far as one JSON file"),
    Action("R", "screen.reload_all", "R", "all", "load every rule again, and take in new ones"),
    Action("l", "screen.loss", "l", "", "what was lost, and what is not collected: how much, where, of which kind"),
    Action("t", "screen.next_theme", "t", "theme", "change the theme"),
    Action("ctrl+z", "app.suspend_process", "ctrl+z", "", "to the shell; nothing is collected until `fg`"),
    Action("tab", "screen.next_pane(1)", "tab", "pane", "go to the next pane"),
    Action("shift+tab", "screen.next_pane(-1)", "shift+tab", "", "go to the pane before"),
    Action("1", "screen.pane('events')", "1", "", "go to the events"),
    Action("2", "screen.pane('rules')", "2", "", "go to the rules"),
    Action("3", "screen.pane('alerts')", "3", "", "go to the alerts"),
    Action("5", "screen.processes", "5", "procs", "every process as a tree, with its events and alerts"),
    Action("4", "screen.pane('tree')", "4", "", "go to the process tree"),
)
_REPLAY: Final = (
    Action("P", "screen.play", "P", "play/stop", "stop a recording, or play on", REPLAY),
    Action("greater_than_sign", "screen.speed(2.0)", ">", "faster", "play it twice as fast", REPLAY),
    Action("less_than_sign", "screen.speed(0.5)", "<", "slower", "play it half as fast", REPLAY),
    Action("full_stop", "screen.step_on", ".", "step", "stop it, and play one batch of events", REPLAY),
    Action(
        "right_curly_bracket",
        "screen.next_alert",
        "}",
        "next alert",
        "go on at once to the next alert, and stop there",
        REPLAY,
    ),
    Action(
        "left_curly_bracket",
        "screen.alert_before",
        "{",
        "alert before",
        "go back to the alert before, and stop there",
        REPLAY,
    ),
    Action("g", "screen.go_to", "g", "go to", "go to a time or a share of it: +90s  -5m  10:22:31  50%", REPLAY),
    Action("left_square_bracket", "screen.seek('-1m')", "[", "-1 min", "go back by a minute", REPLAY),
    Action("right_square_bracket", "screen.seek('+1m')", "]", "+1 min", "go on at once by a minute", REPLAY),
    Action("0", "screen.seek('0%')", "0", "", "go back to the beginning", REPLAY),
)
_RULES: Final = (
    Action("enter", "screen.details", "enter", "details", "all about the selected rule: why, what, how much", RULES),
    Action("space", "screen.toggle_rule", "space", "on/off", "switch the selected rule on, or off: asks first", RULES),
    Action("r", "screen.reload_rule", "r", "reload", "load the selected rule's file again", RULES),
    Action("b", "screen.roll_back", "b", "back", "go back to the rule's generation before; again: forward", RULES),
    Action(
        "s", "screen.shadow", "s", "shadow", "try what is on disk beside the rule, without a voice; again: stop", RULES
    ),
    Action("m", "screen.promote", "m", "make live", "let the shadow be the rule", RULES),
    Action("E", "screen.edit_rule", "E", "edit", "edit the rule's source in $EDITOR", RULES, True),
    Action("comma", "next_sort", ",", "sort", "sort the rules by the next column", RULES),
    Action("h", "screen.hunt", "h", "hunt", "run the rule over what has already happened; again: stop", RULES),
)
_ALERTS: Final = (
    Action("enter", "screen.details", "enter", "details", "all about the selected alert: event, tree, logs", ALERTS),
    Action("a", "screen.acknowledge", "a", "ack", "acknowledge the alert, or all of its group; again: not", ALERTS),
    Action("x", "screen.suppress", "x", "suppress", "hide it and what is like it, for a time: shows how many", ALERTS),
    _respond(ALERTS),
    Action("n", "screen.note", "n", "note", "write something beside the alert", ALERTS),
    Action("m", "screen.bookmark_alert", "m", "mark", "bookmark the alert; again: not", ALERTS),
    Action("i", "screen.filter_alerts", "i", "filter alerts", "filter the alerts by any field", ALERTS),
    Action("v", "toggle_acknowledged", "v", "acked", "hide acknowledged alerts, or show them again", ALERTS),
    Action("G", "toggle_groups", "G", "group", "show alerts that are alike as one, or each on its own", ALERTS),
    Action("X", "screen.suppressions", "X", "", "what is suppressed, and how much; enter shows it again", ALERTS),
)
_PROCESSES: Final = (
    Action("enter", "screen.open", "enter", "details", "all about the selected process, and what it holds", PROCESSES),
    Action("slash", "screen.find", "/", "find", "show only processes with a word in their arguments", PROCESSES),
    Action("a", "toggle_active", "a", "active", "only those with events or alerts, or all", PROCESSES),
    Action("left", "fold(True)", "←", "close", "close the branch of the selected process", PROCESSES),
    Action("right", "fold(False)", "→", "open", "open it again", PROCESSES),
    _respond(PROCESSES),
)
_TREE: Final = (
    Action("enter", "screen.details", "enter", "process", "all about the alert's process, and what it holds", TREE),
    _respond(TREE),
)
_STREAM: Final = (Action("f", "last", "f", "", "follow the newest events again", STREAM),)
_PANE: Final = (
    Action("up,k", "step(-1)", "↑ k", "", "one line up; in the events this stops following", PANE),
    Action("down,j", "step(1)", "↓ j", "", "one line down", PANE),
    Action("pageup", "page(-1)", "pgup", "", "one page up", PANE),
    Action("pagedown", "page(1)", "pgdn", "", "one page down", PANE),
    Action("home", "first", "home", "", "the first line; in the events, load older ones", PANE),
    Action("end", "last", "end", "", "the last line; in the events, follow again", PANE),
)
ACTIONS: Final[Sequence[Action]] = (
    *_ALWAYS,
    *_STREAM,
    *_RULES,
    *_ALERTS,
    *_TREE,
    *_PROCESSES,
    *_REPLAY,
    *_SCREEN,
    *_PANE,
)


def bindings(context: str) -> list[BindingType]:
    """Textual's bindings for the actions of this context.

    They have priority: each runs before the next key is looked at. On a slow link keys come in bursts, and
    what is typed after ``/`` or ``2`` is for the filter or the rules, not for the pane that had the focus before.
    """
    return [
        Binding(a.key, a.name, a.label or a.help, show=False, priority=True) for a in ACTIONS if a.context == context
    ]
