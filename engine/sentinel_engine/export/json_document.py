"""The JSON document of the contract: one object, an alert a line, and JSON lines of the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sentinel_engine.export.case import Case
from sentinel_engine.export.document import SCHEMA_VERSION, Evidence, ExportDocument, ExportedAlert
from sentinel_engine.export.evidence import Chain, ending
from sentinel_engine.snapshot import Action


def document(case: Case) -> Iterator[bytes]:
    """The document piece by piece; each piece is checked once more against its own shape."""
    # All but the two streams, which take the places of the empty lists.
    frame = msgspec.json.encode(_frame(case))
    msgspec.json.decode(frame, type=ExportDocument)
    parts: dict[str, msgspec.Raw] = msgspec.json.decode(frame, type=dict[str, msgspec.Raw])
    chain, digest = Chain(parts), hashlib.sha256()
    for piece in _pieces(case, parts, chain):
        digest.update(piece)
        yield piece
    digest.update(case.journal_head.encode())
    yield ending(Evidence(case.journal_head, chain.entries, chain.head, digest.hexdigest()))


def _pieces(case: Case, parts: dict[str, msgspec.Raw], chain: Chain) -> Iterator[bytes]:
    streams: dict[str, Iterable[bytes]] = {
        "alerts": _checked(case.alerts(), ExportedAlert),
        "actions": _checked(case.actions(), Action),
    }
    before = b"{"
    for name, raw in parts.items():
        if name == "evidence":
            continue
        yield b'%s\n  "%s": ' % (before, name.encode())
        before = b","
        if name in streams:
            yield from _array(map(chain.sealed, streams[name]))
        else:
            yield msgspec.json.format(bytes(raw), indent=2).replace(b"\n", b"\n  ")


def lines(case: Case) -> Iterator[bytes]:
    """JSON lines: what the export is, the session, each alert and action, and last the summary."""
    frame = _frame(case)
    about = {name: getattr(frame, name) for name in ("schema", "complete", "problems", "selection", "redacted")}
    yield msgspec.json.encode({"type": "export", **about}) + b"\n"
    yield msgspec.json.encode(case.facts) + b"\n"
    for stream in (_checked(case.alerts(), ExportedAlert), _checked(case.actions(), Action)):
        for line in stream:
            yield line + b"\n"
    if case.summary:
        yield msgspec.json.encode(case.summary) + b"\n"


def _frame(case: Case) -> ExportDocument:
    return ExportDocument(
        SCHEMA_VERSION, case.facts.host, case.facts, case.rules, (), (), case.summary, case.complete, case.problems,
        case.selection, case.redacted,
    )  # fmt: skip


def _checked(values: Iterable[Any], shape: type[Any]) -> Iterator[bytes]:
    decoder = msgspec.json.Decoder(shape)
    for value in values:
        encoded = msgspec.json.encode(value)
        decoder.decode(encoded)
        yield encoded


def _array(items: Iterable[bytes]) -> Iterator[bytes]:
    yield b"["
    separator = b"\n    "
    for item in items:
        yield separator + item
        separator = b",\n    "
    yield b"\n  ]"
