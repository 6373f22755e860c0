"""Ties an exported document together, so that it can be told whether it is what was written.

Each alert and action ends in ``chain``: the SHA-256 of the chain before it and of the entry without it; the first goes
on from the rest of the document. ``evidence`` is last: the chain's head, the head of the journal that the document was
made from, which was said when the session ended, and the SHA-256 of every byte before, and of that head.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from sentinel_engine.export.document import Evidence
from sentinel_engine.session import SessionError

_KEY: Final = b',\n  "evidence": '
_END: Final = b"\n}\n"
_STREAMS: Final = ("alerts", "actions")
_CHAIN: Final = re.compile(rb',"chain":"([0-9a-f]{64})"\}\Z')


class Chain:
    """The chain of one document, while it is written or read."""

    def __init__(self, parts: dict[str, msgspec.Raw]) -> None:
        """``parts``: the document's keys; the streams and the evidence are not looked at."""
        rest = {name: bytes(raw) for name, raw in parts.items() if name not in (*_STREAMS, "evidence")}
        plain = b"".join(b"%s %s\n" % (name.encode(), _compact(rest[name])) for name in sorted(rest))
        self.head = hashlib.sha256(plain).hexdigest()
        self.entries = 0

    def next(self, entry: bytes) -> str:
        """The chain after this entry."""
        self.head = hashlib.sha256(self.head.encode() + entry).hexdigest()
        self.entries += 1
        return self.head

    def sealed(self, entry: bytes) -> bytes:
        """The entry with its chain."""
        return entry[:-1] + b',"chain":"' + self.next(entry).encode() + b'"}'


def ending(evidence: Evidence) -> bytes:
    """How the document ends."""
    return _KEY + msgspec.json.encode(evidence) + _END


@dataclass(frozen=True, slots=True)
class Finding:
    """What a document is: whole and as it was written, or in one sentence where it is not."""

    broken: str
    entries: int
    journal: str


def check(path: Path) -> Finding:
    """Whether this document is complete and unaltered. Raises SessionError when it cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SessionError(f"cannot read {path}: {error.strerror}") from error
    before, key, after = data.rpartition(_KEY)
    try:
        evidence = msgspec.json.decode(after.removesuffix(_END), type=Evidence)
        parts = msgspec.json.decode(before + b"\n}", type=dict[str, msgspec.Raw])
        entries = [raw for name in _STREAMS for raw in msgspec.json.decode(parts[name], type=list[msgspec.Raw])]
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
        return Finding("it is cut short, or no document of ours: its end or its form is missing", 0, "")
    broken = "" if key and after.endswith(_END) else "its end was changed"
    if after != ending(evidence).removeprefix(_KEY):
        broken = "its evidence was changed"
    broken = _first_broken(parts, entries, evidence) or broken
    if not broken and hashlib.sha256(before + evidence.journal.encode()).hexdigest() != evidence.sha256:
        broken = "it was changed beside its entries"
    return Finding(broken, len(entries), evidence.journal)


def _first_broken(parts: dict[str, msgspec.Raw], entries: list[msgspec.Raw], evidence: Evidence) -> str:
    chain = Chain(parts)
    for number, raw in enumerate(entries, 1):
        entry = bytes(raw)
        found = _CHAIN.search(entry)
        plain = entry[: found.start()] + b"}" if found else entry
        if not found or chain.next(plain) != found[1].decode():
            if number == 1:
                return "its first entry, or what is said of host, session, rules and summary, is not what was written"
            return f"entry {number} of {len(entries)} is not what was written: {plain[:80].decode('utf-8', 'replace')}…"
    if chain.head != evidence.head or len(entries) != evidence.entries:
        return f"entries are missing at the end: there are {len(entries)} of {evidence.entries}"
    return ""


def _compact(raw: bytes) -> bytes:
    return msgspec.json.format(raw, indent=0)
