"""Names of users, from the host's own file: a directory service may not answer on a host where something is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_PASSWD = Path("/etc/passwd")
_LIMIT = 1 << 20


def user_names() -> Mapping[int, str]:
    """uid -> name; empty when the file cannot be read. Names are the host's text, not yet inert."""
    try:
        with _PASSWD.open("rb") as file:
            lines = file.read(_LIMIT).decode("utf-8", "backslashreplace").splitlines()
    except OSError:
        return {}
    found = (line.split(":") for line in lines)
    return {int(parts[2]): parts[0] for parts in found if len(parts) >= 3 and parts[2].isdecimal()}
