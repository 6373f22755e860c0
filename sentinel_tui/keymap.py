"""Everything a key can do, once: bindings, footer, help and command palette are made from this list."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

from sentinel_engine.text import inert

# Where a key works. The screen's keys work everywhere on the main screen.
SCREEN, PANE, STREAM, RULES, ALERTS = "Anywhere", "In any pane", "In the events", "In the rules", "In the alerts"
REPLAY, TREE = "In a replay", "In the process tree"
PROCESSES = "Among the processes"
ALERT, EVENT, PROCESS = "On an alert's page", "On an event's page", "On a process's page"
PROCESS_EVENTS = "Among a process's events"
# Screens of their own, where the keys of the main one are not.
PAGES: Final = frozenset({PROCESSES, ALERT, EVENT, PROCESS, PROCESS_EVENTS})
# How config files call what is done there.
_PREFIXES: Final = {
    PANE: "pane", STREAM: "event", RULES: "rule", ALERTS: "alert", REPLAY: "replay", TREE: "process",
    PROCESSES: "processes", ALERT: "alert-page", EVENT: "event-page", PROCESS: "process-page",
    PROCESS_EVENTS: "process-events",
}  # fmt: skip
# What these keys do is needed to get out of anything; terminals send the others in place of enter, tab and backspace.
_FIXED: Final = {"escape", "backspace", *(f"ctrl+{letter}" for letter in "chijm")}
_NAMED: Final = {
    *("space", "enter", "tab", "shift+tab", "insert", "delete", "home", "end", "pageup", "pagedown"),
    *("up", "down", "left", "right"),
    *(f"f{number}" for number in range(1, 13)),
    *(f"ctrl+{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
} - _FIXED
_SHORT: Final = {"pgup": "pageup", "pgdn": "pagedown"}


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
    called: str = ""  # in config files, when that is not what its name says

    @property
    def id(self) -> str:
        """How config files call it: ``filter``, ``rule.toggle``. It stays, whatever the code is called."""
        prefix = _PREFIXES.get(self.context, "")
        word = self.called or self.name.removeprefix("screen.").replace("_", "-").removesuffix(f"-{prefix}")
        return f"{prefix}.{word}" if prefix else word


class KeymapError(ValueError):
    """A key that cannot be given to this ``action``; the text says why, and what can be."""

    def __init__(self, action: str, sentence: str) -> None:
        super().__init__(f"{inert(action, 40)}: {sentence}")
        self.action = action


def _respond(context: str) -> Action:
    return Action(
        "K",
        "screen.respond",
        "K",
        "kill",
        "kill, stop or continue the process, or all it started: asks",
        context,
        True,
        "kill",
    )


# In the order of the footer: what comes first stays longest on a narrow terminal. One list for each context.
_ALWAYS: Final = (
    Action("question_mark", "screen.help", "?", "help", "show this page"),
    Action("q", "screen.quit", "q", "quit", "leave; the session stays on disk"),
    Action("f", "screen.filter", "f", "filter", "filter the events; an empty filter shows all; tab completes"),
    Action("slash", "screen.search", "/", "search", "search the events for a regular expression, from here back"),
    Action("p", "screen.pause", "p", "pause", "freeze the view; collection goes on"),
)
_SCREEN: Final = (
    Action("o", "screen.scope", "o", "scope", "report only some users, process trees or cgroups; or leave some out"),
    Action("e", "screen.export", "e", "export", "write the session so far as one JSON file"),
    Action("R", "screen.reload_all", "R", "all", "load every rule again, and take in new ones"),
    Action(
        "z", "screen.plain", "z", "", "this pane alone, still and plain, for the terminal's own selection; again: back"
    ),
    Action("l", "screen.loss", "l", "", "what was lost, and what is not collected: how much, where, of which kind"),
    Action("t", "screen.next_theme", "t", "theme", "change the theme"),
    Action("ctrl+p", "app.palette", "ctrl+p", "", "find any of these by a word of it, and do it", called="palette"),
    Action(
        "ctrl+z", "app.suspend_process", "ctrl+z", "", "to the shell; nothing is collected until `fg`", called="suspend"
    ),
    Action("T", "screen.list_themes", "T", "", "choose a theme from a list, seen as you go", called="themes"),
    Action("tab", "screen.next_pane(1)", "tab", "pane", "go to the next pane", called="next-pane"),
    Action("shift+tab", "screen.next_pane(-1)", "shift+tab", "", "go to the pane before", called="previous-pane"),
    Action("1", "screen.pane('events')", "1", "", "go to the events", called="events"),
    Action("2", "screen.pane('rules')", "2", "", "go to the rules", called="rules"),
    Action("3", "screen.pane('alerts')", "3", "", "go to the alerts", called="alerts"),
    Action("5", "screen.processes", "5", "procs", "every process as a tree, with its events and alerts"),
    Action("4", "screen.pane('tree')", "4", "", "go to the process tree", called="tree"),
)
_REPLAY: Final = (
    Action("P", "screen.play", "P", "play/stop", "stop a recording, or play on", REPLAY),
    Action("greater_than_sign", "screen.speed(2.0)", ">", "faster", "play it twice as fast", REPLAY, called="faster"),
    Action("less_than_sign", "screen.speed(0.5)", "<", "slower", "play it half as fast", REPLAY, called="slower"),
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
    Action(
        "left_square_bracket", "screen.seek('-1m')", "[", "-1 min", "go back by a minute", REPLAY, called="minute-back"
    ),
    Action(
        "right_square_bracket",
        "screen.seek('+1m')",
        "]",
        "+1 min",
        "go on at once by a minute",
        REPLAY,
        called="minute-on",
    ),
    Action("0", "screen.seek('0%')", "0", "", "go back to the beginning", REPLAY, called="beginning"),
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
    Action("left", "fold(True)", "←", "close", "close the branch of the selected process", PROCESSES, called="fold"),
    Action("right", "fold(False)", "→", "open", "open it again", PROCESSES, called="unfold"),
    _respond(PROCESSES),
)
_PAGES: Final = (
    Action("enter", "screen.open_process", "enter", "its process", "all about the process that raised it", ALERT),
    Action("enter", "screen.open_process", "enter", "its process", "the process that did it, and its events", EVENT),
    Action("enter", "screen.open", "enter", "details", "all about the selected event", PROCESS_EVENTS),
    Action("t", "screen.open_tree", "t", "its tree", "who it is, who started it, what it holds", PROCESS_EVENTS),
    Action("enter", "screen.relatives", "enter", "relatives", "its parents, children or who is beside it", PROCESS),
    Action("s", "screen.program", "s", "SHA-256", "the SHA-256 of the program that it runs", PROCESS),
    Action("v", "screen.environment", "v", "environment", "its environment; never written to the session", PROCESS),
    _respond(PROCESS),
)
_TREE: Final = (
    Action("enter", "screen.details", "enter", "process", "all about the alert's process, and what it holds", TREE),
    _respond(TREE),
)
_STREAM: Final = (
    Action("enter", "screen.details", "enter", "details", "all about the event; enter there: its process", STREAM),
    Action(
        "n",
        "screen.next_match(True)",
        "n",
        "",
        "the next older event that the search finds; esc ends it",
        STREAM,
        called="older",
    ),
    Action("N", "screen.next_match(False)", "N", "", "the next newer one", STREAM, called="newer"),
    Action("a", "screen.next_alerted(1)", "a", "alert", "the next event that raised an alert", STREAM, called="alert"),
    Action("A", "screen.next_alerted(-1)", "A", "", "the one before that did", STREAM, called="alert-before"),
    Action("m", "screen.bookmark_event", "m", "mark", "bookmark the event in the session; again: not", STREAM),
    Action("apostrophe", "screen.next_bookmark", "'", "", "the next bookmark; after the last one the first", STREAM),
    Action("F", "last", "F", "", "follow the newest events again", STREAM, called="follow"),
)
_PANE: Final = (
    Action("up,k", "step(-1)", "↑ k", "", "one line up; in the events this stops following", PANE, called="up"),
    Action("down,j", "step(1)", "↓ j", "", "one line down", PANE, called="down"),
    Action("pageup", "page(-1)", "pgup", "", "one page up", PANE, called="page-up"),
    Action("pagedown", "page(1)", "pgdn", "", "one page down", PANE, called="page-down"),
    Action("home", "first", "home", "", "the first line; in the events, load older ones", PANE),
    Action("end", "last", "end", "", "the last line; in the events, follow again", PANE),
    Action("c", "app.copy_row", "c", "copy line", "copy the line to your terminal's clipboard", PANE, called="copy"),
    Action(
        "C",
        "app.copy_field",
        "C",
        "copy field",
        "copy a field of what is selected: choose which",
        PANE,
        called="copy-field",
    ),
)
ACTIONS: Final[Sequence[Action]] = (
    *_ALWAYS,
    *_STREAM,
    *_RULES,
    *_ALERTS,
    *_TREE,
    *_PROCESSES,
    *_PAGES,
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
        Binding(a.key, a.name, a.label or a.help, show=False, priority=True, id=a.id)
        for a in ACTIONS
        if a.context == context
    ]


def in_a_line(actions: Sequence[Action], *contexts: str) -> str:
    """The keys of these contexts and what they do, for the line below a page."""
    here = [one for context in contexts for one in actions if one.context == context and one.label]
    return "  ".join([*(f"{one.shown} {one.label}" for one in here), "esc back"])


def app_bindings() -> list[BindingType]:
    """Textual's bindings for what the app does, whichever page is open."""
    return [
        Binding(a.key, a.name.removeprefix("app."), a.help, show=False, priority=True, id=a.id)
        for a in ACTIONS
        if a.context == SCREEN and a.name.startswith("app.")
    ]


def with_keys(keys: Mapping[str, Any], actions: Sequence[Action] = ACTIONS) -> Sequence[Action]:
    """The actions with other keys: ``keys`` has one, or a list of them, by the id of an action. Raises KeymapError."""
    known = {action.id for action in actions}
    for name in keys:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {near[0]}?" if near else "the help (?) lists them"
            raise KeymapError(str(name), f"there is no such action; {hint}")
    found = [_with(action, keys[action.id]) if action.id in keys else action for action in actions]
    for action in found:
        if action.id in keys:
            _refuse_conflict(action, found)
    return found


def _with(action: Action, keys: Any) -> Action:
    listed = keys if isinstance(keys, list | tuple) else [keys]
    if not listed:
        raise KeymapError(action.id, "name at least one key")
    written = [_SHORT.get(str(key), str(key)) for key in listed]
    for key in written:
        if key in _FIXED:
            raise KeymapError(action.id, f"{key} has a fixed meaning, or is another key to a terminal; take another")
        if key not in _NAMED and not (len(key) == 1 and key.isprintable() and key != " "):
            raise KeymapError(
                action.id,
                f"'{inert(key, 20)}' is no key: write one character, ctrl+a to ctrl+z, f1 to f12, or a name such as "
                "space, enter, tab, shift+tab, insert, delete, home, end, pageup, pagedown, up, left",
            )
    textual = ",".join(key if key in _NAMED else _character_to_key(key) for key in written)
    return replace(action, key=textual, shown=" ".join(written))


def _refuse_conflict(action: Action, actions: Sequence[Action]) -> None:
    for other in actions:
        shared = set(action.key.split(",")) & set(other.key.split(","))
        if other.id != action.id and shared and _meet(action.context, other.context):
            raise KeymapError(action.id, f"{action.shown} is the key of {other.id} already; give one of them another")


def _meet(one: str, other: str) -> bool:
    """Whether actions of these contexts are there at the same time."""
    everywhere = {SCREEN, PANE, REPLAY} if PAGES.isdisjoint({one, other}) else {PANE}
    return one == other or not {one, other}.isdisjoint(everywhere)
