"""What every page and question over the main screen has in common."""

from __future__ import annotations

from typing import TypeVar

from textual.screen import ModalScreen

Answer = TypeVar("Answer")


class Overlay(ModalScreen[Answer]):
    """Closes once: keys come in bursts, and a second one may be for what is closing already."""

    def tell(self, sentence: str, *, bad: bool = False) -> None:
        """Say this below what is shown, where there is a place for it."""

    async def action_dismiss(self, result: Answer | None = None) -> None:
        """Close, with this answer."""
        if self.is_active:
            self.dismiss(result)
