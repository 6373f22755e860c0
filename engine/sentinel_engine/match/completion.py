"""What a filter that is being typed may go on with: fields, kinds, and values that were seen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sentinel_engine.match.plain import FIELDS, OPERATOR
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.text import inert

_MOST: Final = 50
_MAX_VALUE: Final = 256
_WORD: Final = re.compile(
    rf'(?:(?P<field>[A-Za-z]\w*)(?P<op>{OPERATOR}))?(?P<quote>"?)(?P<begun>(?(quote)[^"]*|[^\s"]*))$'
)
_PATHS: Final = frozenset({"path", "new_path", "exe", "cwd", "target", "before", "put_old"})


@dataclass(frozen=True, slots=True)
class Completion:
    """What the text becomes, as far as all choices agree, and the choices that are left."""

    text: str
    choices: tuple[str, ...]


def complete(text: str, events: Iterable[Mapping[str, Any]]) -> Completion:
    """Go on with the last word of ``text``; values are those of ``events``, the most frequent first."""
    word = _WORD.search(text.rpartition(" ")[2] if text.count('"') % 2 == 0 else text)
    if word is None:
        return Completion(text, ())
    name, begun = (word["field"] or "").lower(), word["begun"]
    if name == "kind":
        choices = [kind for kind in KIND_BY_NAME if kind.startswith(begun)]
    elif name:
        choices = _values(name, begun, events)
    else:
        choices = [f"{field}=" for field in FIELDS if field.startswith(begun.lower())]
    agreed = os.path.commonprefix(choices)  # noqa: RUF071 - character by character is what is wanted
    quoted = bool(word["quote"]) or " " in agreed
    head = text[: len(text) - len(word["quote"]) - len(begun)]
    whole = len(choices) == 1 and not agreed.endswith(("=", "/"))
    opening, closing = ('"', '" ') if quoted else ("", " ")
    return Completion(f"{head}{opening}{agreed or begun}{closing if whole else ''}", tuple(choices[:_MOST]))


def _values(name: str, begun: str, events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Values of this field that begin so; of paths only up to the next slash."""
    seen: dict[str, int] = {}
    for event in events:
        value = event.get(name)
        for one in value if isinstance(value, list) else [value]:
            text = "" if one is None else str(one)
            # What cannot be typed or shown as it is cannot be offered.
            if text.startswith(begun) and 0 < len(text) <= _MAX_VALUE and '"' not in text and inert(text) == text:
                if name in _PATHS and (slash := text.find("/", len(begun))) >= 0:
                    text = text[: slash + 1]
                seen[text] = seen.get(text, 0) + 1
    return sorted(seen, key=lambda text: (-seen[text], text))
