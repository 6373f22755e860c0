"""Host bytes as text: lossless for JSON, inert for a screen."""

from __future__ import annotations

import base64
import unicodedata

# Categories that can move the cursor, reorder or hide text: controls, formats, surrogates, private, unassigned,
# line and paragraph separators, and blanks that are no space.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
# Letters and signs that nobody sees: Hangul fillers, the empty Braille pattern.
_UNSEEN = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def lossless(raw: bytes) -> str:
    r"""Decode UTF-8; each byte that is not becomes ``\xNN``. Pair with :func:`twin` for the exact bytes."""
    return raw.decode("utf-8", "backslashreplace")


def twin(raw: bytes) -> str | None:
    """Base64 of these bytes when :func:`lossless` cannot be undone, else None."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode("ascii")
    return None


def inert(text: str, limit: int = 4096) -> str:
    r"""Text that is safe on a terminal: control, bidirectional and invisible characters shown as escapes.

    At most ``limit`` characters, the cut marked with an ellipsis.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    seen = unicodedata.category(char) not in _UNSAFE and char not in _UNSEEN and unicodedata.combining(char) == 0
    if seen or char == " ":
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
