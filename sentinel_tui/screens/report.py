"""A page of text over the main screen: the help, and all about one alert."""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from sentinel_engine.snapshot import Snapshot
from sentinel_tui.keymap import ACTIONS, PANE, SCREEN, Action, in_a_line
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets import figures
from sentinel_tui.widgets.bars import StatusBar
from sentinel_tui.widgets.lines import Line, TextPane
from sentinel_tui.widgets.paint import fit
from sentinel_tui.widgets.tree import fact

if TYPE_CHECKING:
    pass

# Lays a page out for a width.
Page = Callable[[int], Sequence[Line]]

_KEY_WIDTH: Final = 12
_FIELD_WIDTH = 13


class _PagePane(TextPane):
    def __init__(self, page: Page, fields: Mapping[str, Any]) -> None:
        super().__init__(id="page")
        self._page = page
        self._fields = fields

    def fields(self) -> Mapping[str, Any]:
        return self._fields

    def on_resize(self) -> None:
        self.lay_out(self._page)

    def lay_out(self, page: Page) -> None:
        """Show this page, in as much width as there is."""
        self._page = page
        self.show(page(self.scrollable_content_region.width))


class ReportScreen(Overlay[None]):
    """One scrolling page; Escape, Backspace, q or Enter closes it."""

    BINDINGS: ClassVar = [Binding("escape,backspace,q,enter,question_mark", "dismiss", "close", priority=True)]

    def __init__(self, title: str, page: Page, fields: Mapping[str, Any] = MappingProxyType({})) -> None:
        """``fields``: what can be copied of what it is about, by name."""
        super().__init__()
        self._pane = _PagePane(page, fields)
        self._pane.border_title, self._pane.border_subtitle = Content(title), "esc closes"
        self._status = StatusBar(id="page-status")

    def compose(self) -> ComposeResult:
        """The page in a frame, and below it what was said last."""
        yield self._pane
        yield self._status

    def show_page(self, page: Page) -> None:
        """Show this one from now on."""
        self._pane.lay_out(page)

    def tell(self, sentence: str, *, bad: bool = False) -> None:
        """Say this below the page."""
        self._status.tell(sentence, bad=bad)


def passed_on(context: str) -> list[BindingType]:
    """The keys of a pane, for a page about what is selected there."""
    return [
        Binding(action.key, f"pass_on({action.name!r})", action.help, priority=True, id=action.id)
        for action in ACTIONS
        if action.context == context and action.name.startswith("screen.") and action.name != "screen.details"
    ]


class LiveScreen(ReportScreen):
    """A page that is looked at again each second, with a pane's keys for what it is about.

    ``look`` gives the page, None when there is nothing any more; ``act`` does what a key says on the main screen.
    """

    contexts: ClassVar[Sequence[str]]  # whose keys work here

    def __init__(self, title: str, look: Callable[[], Page | None], act: Callable[[str], Awaitable[object]]) -> None:
        super().__init__(title, look() or (lambda _: ()))
        self._look = look
        self._act = act

    def on_mount(self) -> None:
        """Say which keys work, and look again from now on."""
        keys = [one for one in self.actions if one.name.startswith("screen.") and one.name != "screen.details"]
        self.tell(in_a_line(keys, *self.contexts))
        self.set_interval(1, self.look_again)

    def look_again(self) -> None:
        """Show it as it is now."""
        if page := self._look():
            self.show_page(page)

    async def action_pass_on(self, name: str) -> None:
        """Do it to what is selected on the main screen."""
        await self._act(name.removeprefix("screen."))  # this screen is not the one that is meant
        self.look_again()


def help_page(actions: Sequence[Action], here: str) -> Page:
    """Every key and what it does, by where it works; first those of the context ``here``, then those of any."""
    contexts = dict.fromkeys([here, SCREEN, PANE, *(action.context for action in actions)])

    def page(width: int) -> list[Line]:
        lines: list[Line] = []
        for context in contexts:
            lines += [(), ((context, "accent strong"),)]
            for action in actions:
                if action.context == context:
                    lines += _labelled(action.shown, action.help, width)
        return [*lines[1:], *_FILTER_HELP, *_names(actions, contexts, width), *_PRIVILEGES]

    return page


def _names(actions: Sequence[Action], contexts: Iterable[str], width: int) -> list[Line]:
    lines: list[Line] = [(), (("Other keys: names for `keys: {filter: f5}` in the config file", "accent strong"),)]
    for context in contexts:
        names = "  ".join(action.id for action in actions if action.context == context)
        lines += [((part, "text"),) for part in textwrap.wrap(names, width, break_on_hyphens=False)]
    return lines


def _labelled(label: str, text: str, width: int) -> list[Line]:
    parts = textwrap.wrap(text, max(1, width - _KEY_WIDTH)) or [""]
    labels = [label, *[""] * (len(parts) - 1)]
    return [((fit(name, _KEY_WIDTH), "strong"), (part, "text")) for name, part in zip(labels, parts, strict=True)]


_FILTER_HELP: Sequence[Line] = (
    (),
    (("The filter", "accent strong"),),
    (("shadow              ", "strong"), ("the word in program, arguments, path or address", "text")),
    (("kind=exec           ", "strong"), ("a field with this value: kind, pid, uid, comm, path, port …", "text")),
    (("uid!=0              ", "strong"), ("a field without it", "text")),
    (("path~=/tmp          ", "strong"), ("a field that contains it", "text")),
    (("uid>=1000 time<10:22", "strong"), (" numbers, times, and an alert's severity: > >= < <=", "text")),
    (("kind=open comm=cat  ", "strong"), ("words are AND-ed; quote a value that has spaces", "text")),
)
_PRIVILEGES: Sequence[Line] = (
    (),
    (("What this process may still do", "accent strong"),),
    (("CAP_DAC_READ_SEARCH ", "strong"), ("read files and processes, whoever they belong to", "text")),
    (("CAP_SYS_PTRACE      ", "strong"), ("see the details of processes", "text")),
    (("CAP_KILL            ", "strong"), ("end processes", "text")),
    (
        ("no_new_privs        ", "strong"),
        ("what it starts can do no more; `doctor` says what this kernel needs beyond", "text"),
    ),
)


_STAGES: Final = {
    "kernel": "no room in the kernel's ring: the host was faster than this console",
    "ring": "came from the kernel, but are no records that this version can read",
    "journal": "not in the session: its disk did not take them; alerts wait for it in memory",
    "history": "no loss: rules and alerts have seen them; they left the stream to make room for newer ones",
}


def _coverage(snapshot: Snapshot, width: int) -> list[Line]:
    """What was never asked for: no loss, but nobody has seen it."""
    nobody_asks = "no rule subscribes to them, and the filter leaves them out"
    hidden: dict[str, int] = {one.text: one.hidden for one in snapshot.suppressions}
    limit = "over the limit of their process; `suppressed` events say whose"
    kept_out = "of kinds while they were off, or of processes out of scope"
    lines: list[Line] = [(), *fact("scope", snapshot.scope or "everybody", width)]
    lines += [(), *fact("off now", ", ".join(snapshot.off) or "no kind", width), *fact("", nobody_asks, width, "muted")]
    kept_off = "suppressed alerts: in the session, but not on the screen"
    for label, counts, meaning in (
        ("limited", snapshot.suppressed, limit),
        ("kept out", snapshot.filtered, kept_out),
        ("hidden", hidden, kept_off),
    ):  # fmt: skip
        lines += [(), *fact(label, figures.kinds(counts) or "0", width), *fact("", meaning, width, "muted")]
    return lines


def loss_page(snapshot: Snapshot) -> Page:
    """What was lost: where on its way, of which kind, and whether both ways to count it agree."""

    def page(width: int) -> list[Line]:
        lines = [line for warning in snapshot.warnings for line in fact("NOT SAVED", warning, width, "bad strong")]
        lines += fact("lost", f"{snapshot.total_lost:,} of {snapshot.total_events + snapshot.total_lost:,}", width)
        for stage, meaning in _STAGES.items():
            counts = snapshot.lost.get(stage, {})
            style = "bad strong" if counts and stage != "history" else "text"
            lines += [(), *fact(stage, figures.kinds(counts) or "0", width, style), *fact("", meaning, width, "muted")]
        if gaps := snapshot.gaps:
            text = f"{gaps.counted:,} by the counters, {gaps.seen:,} by the records' sequence numbers so far"
            lines += [(), *fact("counted", text, width)]
        return lines + _coverage(snapshot, width)

    return page
