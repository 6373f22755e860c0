"""A session's rules: on, off, reloaded, refused, in quarantine; the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_engine.records import Clock
from sentinel_engine.rules.quarantine import FIRST_BACKOFF, LONGEST_BACKOFF
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.registry import Change, Registry
from sentinel_engine.rules.verdict import LOST, RECOVERED
from sentinel_engine.snapshot import RuleState
from tests.engine.wasm_kit import abi0, opens

ONE = opens(b"/x")


class Rules:
    """A registry over a folder of our own, with a clock that we set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 1000.0
        self.registry = Registry([(folder, False)], clock=Clock(0), monotonic=lambda: self.now)

    def write(self, name: str, body: str) -> None:
        (self.folder / f"{name}.wat").write_bytes(abi0(body))

    def state(self, name: str) -> RuleState:
        return next(view.state for view in self.registry.views() if view.id == name)

    def reason(self, name: str) -> str:
        return next(view.reason for view in self.registry.views() if view.id == name)

    def reload(self, name: str) -> Change:
        return self.registry.apply(self.registry.workshop.look(self.registry.path_of(name)))

    def alerting(self) -> list[str]:
        found = [verdict.spec.id for verdict in self.registry.run(ONE)]
        return [name for name in found if not name.startswith("coverage")]


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[Rules]:
    tmp_path.chmod(0o755)
    rules = Rules(tmp_path)
    rules.write("good", "i32.const 1")
    yield rules
    rules.registry.close()


def test_bad_rules_beside_good_ones_are_shown_with_the_reason(rules: Rules) -> None:
    rules.write("asks", "unreachable")
    (rules.folder / "asks.wat").write_text('(module (import "env" "f" (func)))')
    (rules.folder / "noise.wasm").write_bytes(b"noise")
    rules.registry.load()
    assert rules.alerting() == ["good"]
    assert rules.state("noise") is RuleState.FAILED
    assert "WebAssembly" in rules.reason("noise")
    assert rules.state("asks") is RuleState.FAILED


def test_off_and_on(rules: Rules) -> None:
    rules.registry.load()
    assert rules.registry.disable("good").said == "good is off"
    assert (rules.alerting(), rules.state("good")) == ([], RuleState.DISABLED)
    assert rules.registry.subscribed() == 0
    rules.registry.enable("good")
    assert rules.alerting() == ["good"]
    with pytest.raises(RuleError, match="no rule nothing"):
        rules.registry.enable("nothing")


def test_reload_takes_the_new_file_or_keeps_the_old_generation(rules: Rules) -> None:
    rules.registry.load()
    rules.write("good", "(i32.eq (local.get 1) (i32.const 9))")
    before = rules.registry.views()[0].sha256
    change = rules.reload("good")
    assert "generation 2" in change.said
    assert (change.before, change.after) == (before, rules.registry.views()[0].sha256)
    assert rules.alerting() == []
    before = rules.registry.views()[0].sha256
    for broken in ("(nonsense", "(loop br 0) unreachable)(start 0"):
        rules.write("good", broken)
        change = rules.reload("good")
        assert not change.ok
        assert "generation 2 goes on" in change.said
    view = rules.registry.views()[0]
    assert (view.sha256, view.generation, view.state) == (before, 2, RuleState.ENABLED)
    assert "reload refused" in view.reason
    rules.write("good", "i32.const 1")
    rules.reload("good")
    assert (rules.alerting(), rules.reason("good")) == (["good"], "")


def test_a_rule_that_is_off_stays_off_when_reloaded(rules: Rules) -> None:
    rules.registry.load()
    rules.registry.disable("good")
    rules.reload("good")
    assert rules.state("good") is RuleState.DISABLED


def test_five_failures_in_a_minute_are_quarantine_with_back_off(rules: Rules) -> None:
    rules.write("bad", "unreachable")
    rules.registry.load()
    backoff = FIRST_BACKOFF
    for _ in range(7):
        for _ in range(5):
            assert rules.alerting() == ["good"]
        assert rules.state("bad") is RuleState.QUARANTINED
        assert any(f"{LOST}: bad" in notice for notice in rules.registry.notices())
        rules.now += backoff - 0.1
        rules.alerting()
        assert rules.state("bad") is RuleState.QUARANTINED
        rules.now += 0.2
        rules.alerting()
        assert rules.state("bad") is RuleState.ENABLED
        assert any("runs again" in notice for notice in rules.registry.notices())
        backoff = min(2 * backoff, LONGEST_BACKOFF)


def test_failures_that_are_rare_are_no_quarantine(rules: Rules) -> None:
    rules.write("bad", "unreachable")
    rules.registry.load()
    for _ in range(20):
        rules.alerting()
        rules.now += 20
    assert rules.state("bad") is RuleState.ENABLED
    assert "unreachable" in rules.reason("bad")


def test_the_operator_ends_a_quarantine(rules: Rules) -> None:
    rules.write("bad", "unreachable")
    rules.registry.load()
    lost = rules.registry.run(opens(*[b"/x"] * 10))
    assert [(v.index, v.spec.id) for v in lost if "bad" in v.spec.id] == [(4, "coverage-lost:bad")]
    assert rules.state("bad") is RuleState.QUARANTINED
    rules.registry.enable("bad")
    assert rules.state("bad") is RuleState.ENABLED
    recovered = rules.registry.run(ONE)[0]
    said = f"{RECOVERED}: bad runs again; 5 events were not looked at so far"
    assert (recovered.spec.id, recovered.spec.message) == ("coverage-recovered:bad", said)


def test_hostile_rules_beside_good_ones_cost_no_alert(rules: Rules) -> None:
    rules.write("loops", "(loop br 0) i32.const 0")
    rules.write("traps", "unreachable")
    rules.write("grows", "(loop $m (br_if $m (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) i32.const 0")
    rules.write("z-good", "i32.const 1")
    rules.registry.load()
    batch = opens(*[b"/x"] * 100)
    found = [verdict.spec.id for _ in range(6) for verdict in rules.registry.run(batch)]
    assert found.count("good") == found.count("z-good") == 600
    views = {view.id: view for view in rules.registry.views()}
    assert views["loops"].timeouts == 5
    assert views["traps"].traps == 5
    assert views["grows"].memory_bytes.current <= views["grows"].memory_bytes.limit
    assert [views[name].state.value for name in ("loops", "traps", "grows")] == [
        "quarantined", "quarantined", "enabled",
    ]  # fmt: skip


def test_verdicts_are_in_the_order_of_events_then_rules(rules: Rules) -> None:
    rules.write("also", "i32.const 1")
    rules.registry.load()
    found = [(v.index, v.spec.id) for v in rules.registry.run(opens(b"/a", b"/b"))]
    assert found == [(0, "also"), (0, "good"), (1, "also"), (1, "good")]
