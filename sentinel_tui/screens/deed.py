"""What to do to a process: the choice, with everything that tells who it is."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from sentinel_engine.response import Deed, Look, Target
from sentinel_tui.screens.confirm import FRAME_WIDTH
from sentinel_tui.screens.overlay import Overlay
from sentinel_tui.widgets.lines import Line, TextPane
from sentinel_tui.widgets.tree import fact

# A deed, and whether it is done to all that the process started too.
Choice = tuple[Deed, bool]

_CHOICES: Final = (
    ("k", Deed.KILL, False, "kill it: it ends at once, and cleans nothing up"),
    ("K", Deed.KILL, True, "kill it and all that it started"),
    ("s", Deed.STOP, False, "stop it: it keeps its memory and files, to be looked at"),
    ("S", Deed.STOP, True, "stop it and all that it started"),
    ("c", Deed.CONTINUE, False, "let it go on"),
    ("C", Deed.CONTINUE, True, "let it and all that it started go on"),
)
_NAMED: Final = 12


def facts(target: Target, look: Look) -> list[tuple[str, str]]:
    """Who it is, label and text; text of the host as it came."""
    below = ", ".join(look.descendants[:_NAMED])
    more = f" and {len(look.descendants) - _NAMED} more" if len(look.descendants) > _NAMED else ""
    since = target.start_time[:19].replace("T", " ")
    found = [
        ("process", f"{target.comm} {target.pid}, uid {look.uid}, since {since} UTC"),
        ("argv", look.argv or "none"),
        ("started", f"{below}{more}" if below else "nothing that is still there"),
    ]
    return [*found, ("careful", look.warning)] if look.warning else found


class DeedScreen(Overlay[Choice | None]):
    """A letter chooses; anything else that ends it chooses nothing."""

    BINDINGS: ClassVar = [
        *(Binding(key, f"choose('{deed}', {tree})", what, priority=True) for key, deed, tree, what in _CHOICES),
        Binding("q,escape,enter,backspace,n", "dismiss(None)", "nothing", priority=True),
    ]

    def __init__(self, target: Target, look: Look) -> None:
        super().__init__()
        self._target = target
        self._look = look

    def compose(self) -> ComposeResult:
        """The facts and the choices in a frame."""
        width = FRAME_WIDTH - 4
        lines: list[Line] = []
        for label, text in facts(self._target, self._look):
            lines += fact(label, text, width, "warn strong" if label == "careful" else "text")
        lines.append(())
        for key, _, tree, what in _CHOICES:
            if not tree or self._look.descendants:
                lines.append(((f" {key}  ", "accent strong"), (what, "text")))
        lines.append(((" esc  ", "accent strong"), ("nothing", "text")))
        pane = TextPane(id="confirm")
        pane.border_title = Content(f"Do what to {self._target}?")
        pane.show(lines)
        pane.styles.height = len(lines) + 2
        yield pane

    async def action_choose(self, deed: str, tree: bool) -> None:
        """Take this one."""
        await self.action_dismiss((Deed(deed), tree and bool(self._look.descendants)))
