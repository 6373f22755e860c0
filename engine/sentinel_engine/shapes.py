"""Structs that several threads decode: msgspec must have looked at each of them before any of these threads does.

The first use of a struct makes msgspec note the types of its fields, with the note in its place before it is whole:
another thread that decodes the same struct meanwhile follows a null pointer, and the process dies of SIGSEGV.
"""

from __future__ import annotations

from typing import Any

import msgspec


def prepare(*shapes: Any) -> None:
    """Have msgspec look at these structs, and at all that they hold. Call it where they are defined: imports lock."""
    for shape in shapes:
        msgspec.json.Decoder(shape)
