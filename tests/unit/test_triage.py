"""Suppressions: what they take for a line, whom they hide, when they end, and whom never."""

from __future__ import annotations

import msgspec
import pytest

from sentinel_engine.match.plain import FilterError
from sentinel_engine.records import Clock
from sentinel_engine.rules.verdict import LOST, coverage
from sentinel_engine.snapshot import Alert, RuleRef, Severity, Triage
from sentinel_engine.triage import Suppressions, parse_wish, proposal
from tests.unit.test_alerts import VERDICT, _book, _open

SECOND = 1_000_000_000


def alert(rule: str = "r", **event: object) -> Alert:
    event = {"kind": "open", "pid": 7, "comm": "cat", "path": "/etc/shadow", "seq": 3} | event
    return Alert("3-r", "t", RuleRef(rule, "1", Severity.HIGH, ""), "cat opened it", event, (), 1, "t", "t")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [("rule=r", None), ("rule=r for ever", None), ("rule=r for 90s", 90), ("rule=r  for  2 h", 7200),
     ('path="/srv/for 1h" for 1d', 86400)],
)  # fmt: skip
def test_how_long_is_at_the_end(line: str, seconds: int | None) -> None:
    assert parse_wish(line).seconds == seconds


@pytest.mark.parametrize("line", ["", " for 1h", "rule=r for 0m", "rule=r for a while", "nofield=1", 'comm="x for 1h'])
def test_a_line_that_cannot_be_is_refused(line: str) -> None:
    with pytest.raises(FilterError):
        parse_wish(line)


@pytest.mark.parametrize(
    "event",
    [{}, {"path": "/srv/a b"}, {"comm": 'with "quotes"'}, {"path": "/x\\xff"}, {"comm": "for 2h"}, {"comm": "a=b"}],
)
def test_what_is_proposed_hides_the_alert_itself(event: dict[str, object]) -> None:
    one = alert(**event)
    assert parse_wish(proposal(one)).hides(one)
    assert parse_wish(proposal(one)).seconds == 3600
    assert not parse_wish(proposal(one)).hides(alert("another"))


@pytest.mark.parametrize("line", ["severity>=high", "severity<critical", "severity=high", "severity>low", "rule~=R"])
def test_severities_have_an_order(line: str) -> None:
    assert parse_wish(line).hides(alert())


@pytest.mark.parametrize("line", ["severity>high", "severity>=critical", "severity<=medium", "rule~=x", "note~=x"])
def test_what_is_on_the_other_side_stays(line: str) -> None:
    assert not parse_wish(line).hides(alert())


def test_a_severity_that_there_is_not_is_said() -> None:
    with pytest.raises(FilterError, match="there is no severity bad; there are info, low, medium, high, critical"):
        parse_wish("severity>=bad")


def test_what_tells_of_coverage_is_never_hidden() -> None:
    spec = coverage(LOST, VERDICT.spec, "", "it is in quarantine", 0).spec
    assert spec.id.startswith("coverage-lost:")
    assert not parse_wish("cat").hides(alert(spec.id))
    assert parse_wish("cat").hides(alert())


def test_it_ends_by_the_events_own_time_and_says_so() -> None:
    some = Suppressions(Clock(0))
    some.add(parse_wish("rule=r for 10s"), 100 * SECOND)
    assert some.hiding(alert(), 109 * SECOND) == "rule=r"
    assert some.hiding(alert(), 110 * SECOND) == ""
    assert some.expire(109 * SECOND) == []
    assert some.expire(110 * SECOND) == ["no longer suppressed: rule=r (1 hidden)"]
    assert some.view() == ()


def test_an_alert_that_goes_on_after_the_time_is_shown_again_with_its_count() -> None:
    """Each repeat comes within the time that folds them: without this it would be hidden for ever."""
    one = _book()
    (first,) = one.add(VERDICT, _open(b"/a", 1 * SECOND))
    assert one.suppress(parse_wish("rule=r for 5s")) == 1
    assert one.newest(10) == ()
    assert one.by_severity.total() == 0
    for second in (4, 8):
        assert one.add(VERDICT, _open(b"/a", second * SECOND)) == []
    (shown,) = one.newest(10)
    assert (shown.id, shown.count, shown.triage) == (first.id, 3, Triage())
    assert (one.by_severity.total(), one.hidden.total()) == (3, 0)


def test_hidden_alerts_are_made_told_and_counted() -> None:
    one = _book()
    one.suppress(parse_wish("rule=r"))
    (hidden,) = one.add(VERDICT, _open(b"/a", 1 * SECOND))
    assert hidden.triage.suppressed == "rule=r"
    assert (one.newest(10), one.by_rule["r"], one.hidden["r"], one.by_severity.total()) == ((), 1, 1, 0)
    assert one.unsuppress(1) == "rule=r"
    assert [shown.id for shown in one.newest(10)] == [hidden.id]
    assert one.unsuppress(1) is None


def test_what_was_made_of_an_alert_is_told_again() -> None:
    one = _book()
    (first,) = one.add(VERDICT, _open(b"/a", 1 * SECOND))
    one.changed()
    assert one.triage([first.id, "gone"], lambda triage: msgspec.structs.replace(triage, note="x")) == 1
    assert [(told.id, told.triage.note) for told in one.changed()] == [(first.id, "x")]
