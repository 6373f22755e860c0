"""Keys as they come from a terminal: pressed one after the other, or all in one piece."""

from __future__ import annotations

import unicodedata
from typing import Any

from textual import events
from textual.keys import REPLACED_KEYS, _character_to_key
from textual.pilot import Pilot


def key_event(name: str) -> events.Key:
    """The event of a key, by Textual's name of it or its character."""
    key = name if len(name) != 1 or name.isalnum() else _character_to_key(name)
    words = REPLACED_KEYS.get(key, key).replace("_", " ").upper()
    try:
        character = name if len(name) == 1 else unicodedata.lookup(words)
    except KeyError:
        character = None
    return events.Key(key, character)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press these, each once the one before was taken; then wait until all that they began is done.

    Textual's own waits for an idle process after each key, some 60 ms.
    """
    for key in keys:
        pilot.app.post_message(key_event(key))
        await pilot.pause(0)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
