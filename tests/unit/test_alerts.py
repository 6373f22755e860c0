"""Verdicts become alerts: folded, limited, with their message and what was lost around them."""

from __future__ import annotations

from pathlib import Path

from sentinel_engine.alerts import AlertBook
from sentinel_engine.describe import message_of
from sentinel_engine.history import History
from sentinel_engine.match.plain import parse
from sentinel_engine.processes import ProcessTable
from sentinel_engine.records import Clock, Record, batch_of, decode, encode
from sentinel_engine.rules.manifest import Limits, RuleSpec
from sentinel_engine.rules.verdict import Verdict
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.snapshot import Severity

S = 1_000_000_000
CLOCK = Clock(0)
SPEC = RuleSpec(
    id="r", path=Path("r.wasm"), folder=None, title="title", version="1", severity=Severity.HIGH, attack=(), kinds=(),
    capabilities=frozenset(), limits=Limits(), message="{comm} read {path}", config=b"",
)  # fmt: skip
VERDICT = Verdict(SPEC, "00", 0, 50, ("log",))


def _open(path: bytes, at: int = S, pid: int = 7, seq: int = 0) -> Record:
    raw = encode(KIND_BY_NAME["open"], strings=(path,), comm=b"cat", boot_ns=at, tgid=pid)
    return decode(raw, 0, seq)


def _book() -> AlertBook:
    return AlertBook(CLOCK, ProcessTable(CLOCK, []))


def test_an_alert_names_event_process_and_rule() -> None:
    (alert,) = _book().add(VERDICT, _open(b"/etc/shadow", seq=9))
    assert (alert.id, alert.message, alert.score, alert.logs) == ("9-r", "cat read /etc/shadow", 50, ("log",))
    assert alert.process_tree[-1].pid == 7


def test_repeats_within_ten_seconds_are_one_alert() -> None:
    book = _book()
    assert book.add(VERDICT, _open(b"/a", 1 * S, seq=1))
    assert book.add(VERDICT, _open(b"/a", 10 * S, seq=2)) == []
    assert book.add(VERDICT, _open(b"/a", 19 * S, seq=3)) == []
    assert book.add(VERDICT, _open(b"/b", 19 * S, seq=4))
    assert book.add(VERDICT, _open(b"/a", 19 * S, pid=8, seq=5))
    assert book.add(VERDICT, _open(b"/a", 40 * S, seq=6))
    (changed,) = book.changed()
    assert (changed.count, changed.last_time[11:21]) == (3, "00:00:19.0")
    assert book.changed() == []
    assert [a.id for a in book.newest(10)] == ["1-r", "4-r", "5-r", "6-r"]
    assert book.by_rule["r"] == 6


def test_a_rule_that_matches_everything_is_limited_and_counted() -> None:
    book = _book()
    opened = [alert for n in range(1000) for alert in book.add(VERDICT, _open(b"/%d" % n, S, seq=n))]
    assert [alert.rule.id for alert in opened] == ["r"] * 200 + ["alerts-suppressed:r"]
    assert book.limited["r"] == 800
    assert [alert.rule.id for alert in book.add(VERDICT, _open(b"/later", 2 * S, seq=2000))] == ["r"]
    told, alert = book.add(VERDICT, _open(b"/much-later", 20 * S, seq=2001))
    assert (told.message, alert.rule.id) == ("alerts shown again: 800 of r were counted only", "r")
    assert [alert.rule.id for alert in book.add(VERDICT, _open(b"/and-on", 21 * S, seq=2002))] == ["r"]
    assert book.by_severity[Severity.HIGH] == 205


def test_loss_in_the_window_is_in_the_alert() -> None:
    book = _book()
    book.note_loss(100 * S, 30)
    book.note_loss(105 * S, 37)
    (near,) = book.add(VERDICT, _open(b"/a", 108 * S, seq=1))
    (later,) = book.add(VERDICT, _open(b"/b", 112 * S, seq=2))
    book.note_loss(130 * S, 37)
    (clean,) = book.add(VERDICT, _open(b"/c", 131 * S, seq=3))
    assert [a.loss for a in (near, later, clean)] == [37, 7, 0]


def test_loss_noticed_later_is_added_to_the_alerts_it_is_about() -> None:
    book = _book()
    book.note_loss(100 * S, 0)
    book.add(VERDICT, _open(b"/old", 95 * S, seq=1))
    book.add(VERDICT, _open(b"/new", 103 * S, seq=2))
    book.note_loss(105 * S, 4)  # somewhere in these five seconds
    assert [(alert.id, alert.loss) for alert in book.changed()] == [("2-r", 4)]
    book.note_loss(110 * S, 9)
    assert book.changed() == []
    assert book.add(VERDICT, _open(b"/new", 112 * S, seq=3)) == []  # its window has grown over the second loss
    assert [(alert.id, alert.loss, alert.count) for alert in book.changed()] == [("2-r", 9, 2)]
    (late,) = book.add(VERDICT, _open(b"/late", 104 * S, seq=4))  # it waited in its ring
    assert late.loss == 4


def test_a_loss_is_remembered_for_its_window_and_what_waits() -> None:
    book = _book()
    book.note_loss(10 * S, 3)
    book.note_loss(69 * S, 3)
    (waited,) = book.add(VERDICT, _open(b"/a", 15 * S, seq=1))
    book.note_loss(100 * S, 3)
    (forgotten,) = book.add(VERDICT, _open(b"/b", 15 * S, seq=2))
    assert [a.loss for a in (waited, forgotten)] == [3, 0]


def test_a_message_is_inert_and_keeps_unknown_fields() -> None:
    event = {"comm": "\x1b[2Jx", "argv": ["a", "b"], "path": "{comm}"}
    assert message_of("{comm} {argv} {path} {nothing} 100%", event) == r"\x1b[2Jx a b {comm} {nothing} 100%"


def _view(record: Record) -> dict[str, object]:
    kind, path = record.kind.name, record.strings[0].decode()
    return {"seq": record.seq, "kind": kind, "path": path, "comm": "cat", "pid": record.tgid}


def _batch(first: int, names: list[bytes]):  # type: ignore[no-untyped-def]
    raw = [encode(KIND_BY_NAME["open"], strings=(name,), tgid=1) for name in names]
    return batch_of([*raw, encode(KIND_BY_NAME["exit"], tgid=2)], first)


def test_history_gives_the_newest_that_match() -> None:
    history = History()
    history.append(_batch(0, [b"/a", b"/b", b"/a"]))
    history.append(_batch(4, [b"/c", b"/a"]))
    seqs = lambda text, limit=10, before=None: [  # noqa: E731 - three words, used five times
        e["seq"] for e in history.tail(_view, parse(text) if text else None, limit, before)
    ]
    assert seqs("") == [0, 1, 2, 3, 4, 5, 6]
    assert seqs("", 2) == [5, 6]
    assert seqs("", 3, before=4) == [1, 2, 3]
    assert seqs("kind=exit") == [3, 6]
    assert seqs("path=/a") == [0, 2, 5]
    assert seqs("path=/a", 5, before=5) == [0, 2]


def test_history_is_bounded_and_says_what_left() -> None:
    history = History(max_bytes=2000)
    for n in range(20):
        history.append(_batch(n * 3, [b"/x", b"/y"]))
    kept = history.tail(_view, None, 1000)
    evicted = history.evicted()
    assert len(kept) + sum(evicted.values()) == 60
    assert evicted["open"] == 2 * evicted["exit"] > 0
    assert kept[-1]["seq"] == 59
