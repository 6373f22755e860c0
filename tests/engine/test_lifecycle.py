"""A rule is changed while it runs: reloaded, rolled back, saved, tried as a shadow; and what that leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel_engine import session as sessions
from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import batch_of, encode
from sentinel_engine.rules.control import BY_FILE, ChangeError
from sentinel_engine.rules.registry import Registry
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.session import Session, host_facts
from sentinel_engine.snapshot import Action, RuleState, RuleView, Snapshot
from tests.engine.wasm_kit import abi0, abi1

S = 1_000_000_000
MANIFEST = 'version: "1"\ntitle: t\nseverity: low\n'
TESTS = "tests: [{name: shadow, kind: open, path: /etc/shadow, expect: match}]\n"
# Matches its n-th event, by a number in its memory that it leaves to the next generation.
COUNTS = """
  (func (export "sentinel_snapshot") (result i64) (i64.const 0x0000000400000008))
  (func (export "sentinel_restore") (param i32 i32) (result i32)
    (if (i32.ne (local.get 1) (i32.const 4)) (then (return (i32.const -1))))
    (i32.store (i32.const 8) (i32.load (local.get 0))) (i32.const 0))"""
COUNT = "(i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))"


class Console:
    """A running pipeline over a folder of rules and a recording that plays one open of /etc/shadow each 50 ms."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rules = folder / "rules"
        self.rules.mkdir(mode=0o755)
        recording = folder / "take.rec"
        writer = RecordingWriter(recording, Header(0, "6.1", "web-03", []))
        for n in range(600):
            strings = (b"/etc/shadow" if n % 2 else b"/etc/x",)
            writer.append(batch_of([encode(KIND_BY_NAME["open"], strings=strings, tgid=9, boot_ns=(10 + n) * S)]))
        writer.close(Trailer({}))
        self._recording = recording

    def start(self) -> None:
        source = RecordedSource(self._recording, 40.0)
        # Not the path that the kernel knows: as with one given from the folder where one happens to be.
        registry = Registry([(self.rules / ".." / "rules", False)], clock=source.clock)
        registry.load()
        session = Session(self.folder / "sessions", source.name, "0", host_facts(source.clock))
        self.pipeline = Pipeline(source, registry, session)
        self.pipeline.start()

    def write(self, name: str, code: bytes) -> None:
        (self.rules / f"{name}.wat").write_bytes(code)

    def write_folder(self, name: str, code: bytes) -> None:
        (self.rules / name).mkdir(mode=0o755, exist_ok=True)
        for file, content in (("rule.yaml", MANIFEST.encode()), ("rule.wat", code), ("tests.yaml", TESTS.encode())):
            (self.rules / name / file).write_bytes(content)

    def rule(self, name: str) -> RuleView:
        return next(view for view in self.pipeline.snapshot().rules if view.id == name)

    def until(self, seen: Callable[[Snapshot], bool]) -> Snapshot:
        deadline = time.monotonic() + 10
        while not seen(snapshot := self.pipeline.snapshot()):
            assert time.monotonic() < deadline, snapshot.rules
            time.sleep(0.005)  # the snapshot is polled by design
        return snapshot

    def actions(self) -> list[Action]:
        return list(sessions.read_session(Path(self.pipeline.snapshot().session)).actions)


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Console]:
    it = Console(tmp_path)
    it.write_folder("long", abi0("(i32.eq (local.get 1) (i32.const 11))"))
    it.start()
    yield it
    it.pipeline.close()


def test_a_candidate_that_fails_its_own_tests_leaves_the_old_one_running(it: Console) -> None:
    before = it.rule("long")
    it.write_folder("long", abi0("i32.const 0"))
    with pytest.raises(ChangeError, match=r"own test 'shadow': expected match, got no-match; generation 1 goes on"):
        it.pipeline.rules.reload("long").result(5)
    after = it.rule("long")
    assert (after.sha256, after.generation, after.state) == (before.sha256, 1, RuleState.ENABLED)
    assert "own test" in after.reason


def test_one_call_goes_back_to_the_generation_before_and_again_forward(it: Console) -> None:
    with pytest.raises(ChangeError, match="no generation to go back to"):
        it.pipeline.rules.roll_back("long").result(5)
    first = it.rule("long").sha256
    it.write_folder("long", abi0("i32.const 1"))
    it.pipeline.rules.reload("long").result(5)
    second = it.rule("long").sha256
    assert "rolled back: generation 3" in it.pipeline.rules.roll_back("long").result(5)
    view = it.rule("long")
    assert (view.sha256, view.previous_sha256, view.generation) == (first, second, 3)
    calls = view.calls
    it.until(lambda _: it.rule("long").calls > calls)
    it.pipeline.rules.roll_back("long").result(5)
    assert it.rule("long").sha256 == second
    changes = [(one.action, one.before, one.after) for one in it.actions() if one.operator != BY_FILE]
    assert changes == [
        ("rollback", "", ""), ("reload", first, second), ("rollback", second, first), ("rollback", first, second),
    ]  # fmt: skip


def test_a_saved_file_goes_live_and_a_half_written_one_does_not(it: Console) -> None:
    first = it.rule("long").sha256
    (it.rules / "long" / "rule.wat").write_bytes(b"(module (memory (export")
    it.until(lambda _: "reload refused" in it.rule("long").reason)
    assert it.rule("long").sha256 == first
    (it.rules / "long" / "rule.wat").write_bytes(abi0("i32.const 1"))
    it.until(lambda _: it.rule("long").generation == 2)
    view = it.rule("long")
    assert (view.reason, view.state) == ("", RuleState.ENABLED)
    changes = [(one.action, one.operator, one.before, one.after) for one in it.actions()]
    assert changes[-1] == ("reload", BY_FILE, first, view.sha256)


def test_rules_that_appear_and_disappear_are_seen(it: Console) -> None:
    it.write("new", abi0("i32.const 1"))
    it.until(lambda s: [view.id for view in s.rules] == ["long", "new"])
    # As editors save: beside the file, and then in its place.
    beside = it.rules / ".new.wat.swp"
    beside.write_bytes(abi0("i32.const 0"))
    beside.rename(it.rules / "new.wat")
    it.until(lambda _: it.rule("new").generation == 2)
    (it.rules / "new.wat").unlink()
    it.until(lambda s: [view.id for view in s.rules] == ["long"])
    assert [one.action for one in it.actions()] == ["load", "reload", "drop"]


def test_saving_what_is_as_it_was_and_editors_own_files_change_nothing(it: Console) -> None:
    for name in ("rule.wat~", ".rule.wat.swp", "#rule.wat#", "notes.txt"):
        (it.rules / "long" / name).write_text("(module")
    code = (it.rules / "long" / "rule.wat").read_bytes()
    (it.rules / "long" / "rule.wat").write_bytes(code)
    it.write("later", abi0("i32.const 0"))  # what comes after those has been looked at, and so have they
    it.until(lambda s: len(s.rules) == 2)
    assert it.rule("long").generation == 1
    assert [one.target for one in it.actions()] == ["later"]


def test_a_rules_state_goes_from_one_generation_to_the_next(it: Console) -> None:
    it.write("counts", abi0(f"{COUNT} (i32.const 0)", COUNTS))
    it.until(lambda s: len(s.rules) == 2 and it.rule("counts").calls >= 5)
    # The next one matches only if it knows of more events than it can have seen itself.
    it.write("counts", abi0(f"{COUNT} (i32.ge_u (i32.load (i32.const 8)) (i32.const 5))", COUNTS))
    assert "keeps its state" in it.pipeline.rules.reload("counts").result(5)
    it.until(lambda _: it.rule("counts").calls >= 1)
    assert it.rule("counts").matches == it.rule("counts").calls


@pytest.mark.parametrize(
    ("restore", "said"),
    [("i32.const -3", "returned -3"), ("unreachable", "unreachable"), ("(loop br 0) i32.const 0", "took too long")],
)
def test_a_state_that_is_refused_leaves_the_new_generation_as_if_new(it: Console, restore: str, said: str) -> None:
    it.write("counts", abi0("i32.const 0", COUNTS))
    it.until(lambda s: len(s.rules) == 2)
    refuses = f'(func (export "sentinel_restore") (param i32 i32) (result i32) {restore})'
    it.write("counts", abi0("i32.const 1", refuses))
    assert f"its state was not taken over: sentinel_restore {said}" in (
        it.pipeline.rules.reload("counts").result(5).replace("failed: wasm `", "").replace("` instruction", "")
    )
    assert it.rule("counts").state is RuleState.ENABLED
    it.until(lambda _: it.rule("counts").matches >= 1)


def test_a_shadow_sees_what_its_rule_sees_and_only_the_difference_is_told(it: Console) -> None:
    first = it.rule("long").sha256
    it.pipeline.rules.start_shadow("long").result(5)
    it.write_folder("long", abi0("i32.const 1"))  # a save changes the shadow, not the rule
    it.until(lambda _: (shadow := it.rule("long").shadow) is not None and shadow.only_shadow >= 2)
    view = it.rule("long")
    assert view.shadow
    assert (view.sha256, view.generation) == (first, 1)
    assert view.shadow.only_live == 0
    assert {(one.only, one.message.split()[-1]) for one in view.shadow.differences} == {("shadow", "/etc/x")}
    assert all(alert.event["path"] == "/etc/shadow" for alert in it.pipeline.snapshot().alerts)
    assert "replaced by its shadow: generation 2" in it.pipeline.rules.promote("long").result(5)
    view = it.rule("long")
    assert (view.shadow, view.generation, view.previous_sha256) == (None, 2, first)
    it.until(lambda s: any(alert.event["path"] == "/etc/x" for alert in s.alerts))


def test_a_shadow_that_fails_ends_alone(it: Console) -> None:
    it.write_folder("long", abi1("(if (i32.eq (i32.load8_u offset=4 (local.get 0)) (i32.const 5)) (then unreachable)) "
                                 "i32.const 1"))  # fmt: skip
    (it.rules / "long" / "tests.yaml").unlink()
    it.pipeline.rules.start_shadow("long").result(5)
    it.until(lambda _: (shadow := it.rule("long").shadow) is not None and bool(shadow.reason))
    assert it.rule("long").state is RuleState.ENABLED
    with pytest.raises(ChangeError, match="no shadow that runs"):
        it.pipeline.rules.promote("long").result(5)
    it.pipeline.rules.drop_shadow("long").result(5)
    assert it.rule("long").shadow is None


def test_what_compiles_for_seconds_stalls_nobody(it: Console) -> None:
    functions = "".join(f"(func (result i32) i32.const {n})" for n in range(25_000))
    it.write("slow", abi0("i32.const 1", functions))
    it.until(lambda s: s.total_events > 0)
    answer = it.pipeline.rules.reload_all()
    longest = 0.0
    while not answer.done():
        began = time.monotonic()
        it.pipeline.at_rest(lambda: "").result(5)  # what a batch would have waited
        longest = max(longest, time.monotonic() - began)
    assert longest < 0.3
    assert [view.state for view in it.pipeline.snapshot().rules] == [RuleState.ENABLED] * 2
