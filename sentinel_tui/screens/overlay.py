"""What every page and question over the main screen has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, cast

from textual.screen import ModalScreen

from sentinel_tui.keymap import Action

if TYPE_CHECKING:
    from sentinel_tui.app import SentinelApp

Answer = TypeVar("Answer")


class Overlay(ModalScreen[Answer]):
    """Closes once: keys come in bursts, and a second one may be for what is closing already."""

    @property
    def actions(self) -> Sequence[Action]:
        """All there are, with the user's keys."""
        return cast("SentinelApp", self.app).actions

    @property
    def rests(self) -> bool:
        """Whether it need not look at anything now: another page is over it, or the terminal is behind."""
        return not self.is_active or cast("SentinelApp", self.app).link.busy

    def tell(self, sentence: str, *, bad: bool = False) -> None:
        """Say this below what is shown, where there is a place for it."""

    async def action_dismiss(self, result: Answer | None = None) -> None:
        """Close, with this answer."""
        if self.is_active:
            self.dismiss(result)
