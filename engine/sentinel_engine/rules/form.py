"""Checks a mapping that somebody wrote by hand, key by key: all that is wrong with it at once, with what was meant."""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

_SEE_KEYS: Final = "see rules/README.md for the keys"
_AT: Final = re.compile(r" - at `\$\.?(.*)`$")

Wrong = tuple[str, str]
"""What is wrong, beginning with the key, and what to do; each a sentence without a stop."""


def checked(
    document: dict[Any, Any], shape: type[msgspec.Struct], prefix: str = ""
) -> tuple[dict[str, Any], list[Wrong]]:
    """The keys whose values fit this shape, converted, and what is wrong with the others or missing."""
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    wrong = [
        (f"unknown key {prefix + str(key)!r}", suggest(str(key), list(fields))) for key in document if key not in fields
    ]
    good: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in document:
            wrong += [(f"missing required field {prefix + name!r}", _SEE_KEYS)] if field.required else []
            continue
        value, inner = document[name], field.type
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            nested, more = checked(value, inner, f"{prefix}{name}.")
            wrong += more
            if not more:
                good[name] = inner(**nested)
            continue
        try:
            good[name] = msgspec.convert(value, inner)
        except msgspec.ValidationError as error:
            wrong.append(_explained(prefix + name, value, inner, str(error)))
    return good, wrong


def suggest(word: str, known: Sequence[str]) -> str:
    """Which of these was meant, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(known)}"


def _explained(key: str, value: Any, wanted: Any, text: str) -> Wrong:
    if match := _AT.search(text):
        key += match[1]
    what = _AT.sub("", text).replace("`", "'")
    fix = _SEE_KEYS
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        fix = suggest(str(value), [str(one) for one in wanted])
    elif what.startswith("Expected 'str"):
        fix = "put the value in quotes"
    return f"{key}: {what[:1].lower()}{what[1:]}", fix
