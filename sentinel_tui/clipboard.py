"""To the clipboard of whoever sits at the other end: OSC 52, which the terminal may or may not take."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sentinel_engine.text import inert

# What the common terminals take: 100,000 characters of sequence, which base64 fills with this many bytes.
MAX_BYTES: Final = 74_994
# Screen passes at most 768 bytes on at once.
_SCREEN_CHUNK: Final = 700
_MULTIPLEXERS: Final = ("TMUX", "STY")
_MAX_ENVIRONMENT: Final = 1 << 20


def cut(text: str) -> tuple[str, str]:
    """The inert text that a terminal takes, and a sentence about what was copied."""
    whole = "\n".join(inert(line, MAX_BYTES) for line in text.splitlines())
    raw = whole.encode()
    taken = raw[:MAX_BYTES].decode(errors="ignore")
    size = len(taken.encode())
    if size < len(raw):
        return taken, f"copied {size:,} of {len(raw):,} bytes: the terminal's limit"
    return taken, f"copied {size:,} bytes, if your terminal lets programs set its clipboard (OSC 52)"


def sequence(text: str, environment: Mapping[str, str]) -> str:
    """What makes the terminal take this text; through tmux or screen, where the environment tells of one."""
    osc = f"\x1b]52;c;{base64.b64encode(text.encode()).decode('ascii')}"
    if "TMUX" in environment:
        # As its own (`set-clipboard on`), and for the terminal around it (`allow-passthrough on`): either may be off.
        escaped = osc.replace("\x1b", "\x1b\x1b")
        return f"{osc}\x07\x1bPtmux;{escaped}\x07\x1b\\"
    if "STY" in environment:
        whole = f"{osc}\x07"
        chunks = (whole[at : at + _SCREEN_CHUNK] for at in range(0, len(whole), _SCREEN_CHUNK))
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks)
    return f"{osc}\x07"


def multiplexer() -> dict[str, str]:
    """The variables that tell of tmux or screen: our own, or those of sudo, which does not hand them on."""
    found = {name: os.environ[name] for name in _MULTIPLEXERS if name in os.environ}
    if found or "SUDO_UID" not in os.environ:
        return found
    try:
        with Path(f"/proc/{os.getppid()}/environ").open("rb") as file:
            entries = file.read(_MAX_ENVIRONMENT).split(b"\0")
    except OSError:
        return {}  # gone, or not ours to look at: then as without
    names = {entry.partition(b"=")[0].decode(errors="replace") for entry in entries}
    return dict.fromkeys(names.intersection(_MULTIPLEXERS), "")
