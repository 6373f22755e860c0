"""What the console remembers of its view from one run to the next."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from sentinel_engine.files import atomic_file, private_folder
from sentinel_engine.rules.reading import RuleError, read_file

_MAX_STATE: Final = 64 << 10
_Word = Annotated[str, msgspec.Meta(max_length=64)]
KEPT_LINES: Final = 10  # of each kind of line that is typed
_Lines = Annotated[list[Annotated[str, msgspec.Meta(max_length=1024)]], msgspec.Meta(max_length=KEPT_LINES)]


class ViewState(msgspec.Struct):
    """A field that the file lacks has its default, and what no field is for is passed over: versions may differ."""

    theme: _Word = ""  # that the user chose; empty: what suits the terminal
    pane: _Word = "events"
    sort: _Word = "rule"
    grouped: bool = True
    hides_acknowledged: bool = False
    welcomed: bool = False  # the overlay of the first start was closed
    filters: _Lines = []  # that were typed, oldest first
    searches: _Lines = []


def load(path: Path) -> tuple[ViewState, str]:
    """The view as it was left, and a sentence when the file cannot be used and all begins as on the first day."""
    if not os.path.lexists(path):
        return ViewState(), ""
    try:
        return msgspec.json.decode(read_file(path, _MAX_STATE), type=ViewState), ""
    except RuleError as error:
        return ViewState(), f"the view is not as you left it: {error}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ViewState(), f"the view is not as you left it: {path} is damaged; it is written anew at the end"


def save(state: ViewState, path: Path) -> None:
    """Keep the view (0600, whole or not at all). Raises OSError."""
    private_folder(path.parent)
    with atomic_file(path, force=True) as file:
        file.write(msgspec.json.encode(state))
