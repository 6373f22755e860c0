"""`rules check`, `rules test` over recordings, and `rules bench`: what an author is told of a rule."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sentinel_engine.collector.source import BootProcess
from sentinel_engine.recording import MAGIC, Header, RecordingWriter, Trailer
from sentinel_engine.records import Clock, batch_of, encode
from sentinel_engine.rules.bench import BATCH, RuleBench
from sentinel_engine.rules.check import check
from sentinel_engine.rules.manifest import load_spec, read_module
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.selftest import run_tests
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from tests.engine.wasm_kit import abi0, abi1, opens

CLI = [sys.executable, "-c", "from sentinel_tui.cli import main; main()", "rules"]
MANIFEST = 'version: "1"\ntitle: t\nseverity: low\nkinds: [open]\n'
ELEVEN = abi0("(i32.eq (local.get 1) (i32.const 11))")


def _rule(folder: Path, name: str, code: bytes, tests: str = "", manifest: str = MANIFEST) -> Path:
    rule = folder / name
    rule.mkdir(mode=0o755, parents=True)
    folder.chmod(0o755)
    (rule / "rule.wat").write_bytes(code)
    (rule / "rule.yaml").write_text(manifest)
    if tests:
        (rule / "tests.yaml").write_text(tests)
    return rule


def _run(*arguments: object) -> tuple[int, Any]:
    done = subprocess.run([*CLI, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if "--json" in arguments else done.stdout + done.stderr


def _recording(path: Path) -> None:
    writer = RecordingWriter(
        path, Header(0, "6.1", "web-03", [BootProcess(9, 1, 5, b"sh", b"/bin/sh", (b"sh",), b"/", 0, b"")])
    )
    for n in range(30):
        name = b"/etc/shadow" if n % 10 == 3 else b"/etc/x"
        writer.append(batch_of([encode(KIND_BY_NAME["open"], strings=(name,), tgid=9, boot_ns=n)]))
    writer.close(Trailer({}))


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    imports = '(import "env" "a" (func)) (import "host" "log_message" (func (param i64)))'
    manifest = "version: 1.0\ntitle: t\nseverity: hihg\nkinds: [opne]\ncolour: red\n"
    _rule(tmp_path, "bad", f"(module {imports})".encode(), "tests: [{name: a}]\n", manifest)
    _rule(tmp_path, "good", ELEVEN)
    sandbox = Sandbox()
    bad, good = check([tmp_path], sandbox)
    sandbox.close()
    said = "\n".join(problem.reason for problem in bad.problems)
    for part in (
        "unknown key 'colour'", "version: ", "severity: ", "unknown 'opne'", "env.a, which no rule is given",
        "host.log_message with the wrong type", "does not export check_file_access", "exports no memory", "test 1",
    ):  # fmt: skip
        assert part in said, (part, said)
    assert all(problem.fix for problem in bad.problems)
    assert (good.id, good.problems) == ("good", [])


def test_nothing_of_a_wrong_rule_runs_and_a_right_one_is_started_once(tmp_path: Path) -> None:
    looping = abi0("i32.const 0", '(func (export "_initialize") (loop br 0))')
    _rule(tmp_path, "loops", looping)
    _rule(tmp_path, "loops-and-is-wrong", looping, manifest=MANIFEST + "colour: red\n")
    code, found = _run("check", tmp_path, "--json")
    assert code == 1
    said = {one["id"]: [problem["reason"] for problem in one["problems"]] for one in found}
    assert said["loops"] == ["it did not start within 100 ms"]
    assert len(said["loops-and-is-wrong"]) == 1
    assert "colour" in said["loops-and-is-wrong"][0]


def test_a_module_older_than_its_source_is_a_warning_but_not_in_a_fresh_checkout(tmp_path: Path) -> None:
    rule = _rule(tmp_path, "old", ELEVEN)
    (rule / "src").mkdir()
    source = rule / "src" / "rule.c"
    source.write_text("int x;")
    built = (rule / "rule.wat").stat().st_mtime
    os.utime(source, (built + 1, built + 1))
    assert _run("check", tmp_path) == (0, f"ok    old  {rule}\n")
    os.utime(source, (built + 10, built + 10))
    code, (found,) = _run("check", tmp_path, "--json")
    assert (code, found["ok"], set(found)) == (0, True, {"path", "id", "ok", "problems"})
    (problem,) = found["problems"]
    assert problem["reason"] == f"warning: {rule / 'rule.wat'} is older than {source}"
    assert problem["fix"] == f"build it again: sentinel-tui rules build {rule}"
    source.unlink()
    source.symlink_to("/proc/self/stat")  # newer than anything; a link is not followed
    assert _run("check", tmp_path) == (0, f"ok    old  {rule}\n")


def test_what_looks_like_a_rule_and_is_none_is_a_warning(tmp_path: Path) -> None:
    rule = _rule(tmp_path, "good", ELEVEN)
    (rule / "tests.yml").write_text("tests: []")
    (rule / "other.wasm").write_bytes(b"")
    (rule / "rule.c").write_text("")
    (tmp_path / "bare.wat").write_bytes(ELEVEN)
    for name in ("lost.wat.txt", "Sigma.YML", "bare.rs", "README.md", ".hidden.wat", "copy.wat~"):
        (tmp_path / name).write_text("")
    sandbox = Sandbox()
    found = {report.id: report for report in check([tmp_path], sandbox)}
    sandbox.close()
    assert set(found) == {"good", "bare", "lost.wat.txt", "Sigma.YML"}
    assert [report.problems for report in found.values()] == [[]] * 4
    assert [warning.fix for warning in found["good"].warnings] == [
        "rename it to tests.yaml", "remove it, or name it in rule.yaml (module: other.wasm)",
    ]  # fmt: skip
    assert "is not loaded" in found["lost.wat.txt"].warnings[0].reason
    assert not found["bare"].warnings


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("(table 10000 funcref)" * 7, ""),
        ("(table 10001 funcref)", "a table begins with 10001 elements, the most is 10000"),
        ("(table 1 20000 funcref) (table 1 externref)" * 4, "it has 8 tables, the most is 7"),
    ],
)
def test_the_limit_of_tables_is_told_as_the_sandbox_keeps_it(tmp_path: Path, tables: str, said: str) -> None:
    rule = _rule(tmp_path, "tables", abi0("i32.const 0", tables))
    spec, sandbox = load_spec(rule, builtin=False), Sandbox()
    (report,) = check([tmp_path], sandbox)
    assert [problem.reason for problem in report.problems] == ([said] if said else [])
    if said:
        with pytest.raises(RuleError, match="table"):
            LoadedRule(sandbox, spec, read_module(spec), Clock(0))
    sandbox.close()


@pytest.mark.parametrize(
    ("module", "limits", "said"),
    [
        ("2 2", 262144, "its memory cannot grow by the one page"),
        ("4", 262144, "its memory cannot grow by the one page"),
        ("5", 262144, "its memory begins with 327680 bytes"),
        ("3 4", 262144, ""),
    ],
)
def test_memory_is_weighed_before_anything_runs(tmp_path: Path, module: str, limits: int, said: str) -> None:
    code = ELEVEN.replace(b'(memory (export "memory") 1)', f'(memory (export "memory") {module})'.encode())
    _rule(tmp_path, "memory", code, manifest=MANIFEST + f"limits: {{memory_bytes: {limits}}}\n")
    sandbox = Sandbox()
    (report,) = check([tmp_path], sandbox)
    sandbox.close()
    assert bool(report.problems) == bool(said)
    assert not said or said in report.problems[0].reason


def test_one_file_that_is_bad_keeps_no_other_from_being_looked_at(tmp_path: Path) -> None:
    tests = "tests: [{name: a}, {name: b, kind: opne, expect: match}, {name: c, recording: cut.rec, expect: match}]\n"
    rule = _rule(tmp_path, "bad", b"(module", tests)
    _recording(rule / "cut.rec")
    whole = (rule / "cut.rec").read_bytes()
    (rule / "cut.rec").write_bytes(whole[:-20])
    sandbox = Sandbox()
    (report,) = check([tmp_path], sandbox)
    said = [problem.reason for problem in report.problems]
    assert len(said) == 4
    for part, reason in zip(
        ("not a WebAssembly module", "test 1", "opne", "cannot be read to its end"), said, strict=True
    ):
        assert part in reason
    (rule / "rule.wat").unlink()
    (report,) = check([tmp_path], sandbox)
    sandbox.close()
    assert "has no rule.wasm and no rule.wat" in report.problems[0].reason


def test_a_block_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    rule = _rule(tmp_path, "bomb", ELEVEN, "tests: [{name: r, recording: take.rec, expect: match}]\n")
    header = b'{"clock_offset_ns":0,"kernel":"6.1","hostname":"h","processes":[]}'
    blocks = b""
    for raw, says in ((header, len(header)), (bytes(8 << 20), 152)):
        frame = zstandard.compress(raw)
        blocks += struct.pack("<II", len(frame), says) + frame
    (rule / "take.rec").write_bytes(MAGIC + blocks)
    code, text = _run("test", tmp_path)
    assert code == 1
    assert "a block is larger than it says" in text


@pytest.mark.parametrize(
    ("expect", "ok", "got"),
    [
        ("match", True, "3 matches at 3, 13, 23"),
        ("no-match", False, "3 matches at 3, 13, 23"),
        ("{matches: 3}", True, "3 matches at 3, 13, 23"),
        ("{matches: 4}", False, "3 matches at 3, 13, 23"),
        ("{at: [3, 13, 23]}", True, "3 matches at 3, 13, 23"),
        ("{at: [3, 14, 23]}", False, "3 matches at 3, 13, 23"),
    ],
)
def test_a_recording_is_a_test(tmp_path: Path, expect: str, ok: bool, got: str) -> None:
    rule = _rule(tmp_path, "eleven", ELEVEN, f"tests: [{{name: r, recording: take.rec, expect: {expect}}}]\n")
    _recording(rule / "take.rec")
    spec, sandbox = load_spec(rule, builtin=False), Sandbox()
    (result,) = run_tests(spec, read_module(spec), sandbox)
    sandbox.close()
    assert (result.ok, result.got) == (ok, got)
    if "14" in expect:
        assert result.detail.startswith("event 13: matched, open /etc/shadow")
        assert "event 14: not matched" in result.detail


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("{name: r, recording: ../take.rec, expect: match}", "is no file name"),
        ("{name: r, recording: none.rec, expect: match}", "cannot be opened"),
        ("{name: r, recording: rule.wat, expect: match}", "is not a sentinel-tui recording"),
        ("{name: r, recording: take.rec, expect: {}}", "has not one of"),
        ("{name: r, recording: take.rec, expect: maybe}", "Invalid enum value"),
    ],
)
def test_a_recording_that_cannot_be_used_is_one_sentence(tmp_path: Path, test: str, said: str) -> None:
    rule = _rule(tmp_path, "eleven", ELEVEN, f"tests: [{test}]\n")
    _recording(rule / "take.rec")
    code, text = _run("test", tmp_path)
    assert code == 1
    assert said in text
    assert "Traceback" not in text


def test_a_rule_without_tests_is_named(tmp_path: Path) -> None:
    _rule(tmp_path, "eleven", ELEVEN)
    code, text = _run("test", tmp_path)
    assert (code, "eleven has no tests" in text) == (0, True)


def test_fuel_is_the_same_each_time_and_grows_with_the_work(tmp_path: Path) -> None:
    tests = "tests: [{name: a, kind: open, path: /etc/shadow, expect: no-match}]\n"
    turn = "(br_if $t (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 500)))"
    turns = f"(local $n i32) (loop $t {turn})"
    _rule(tmp_path, "idle", abi0("i32.const 0"), tests)
    _rule(tmp_path, "turns", abi1(f"{turns} i32.const 0"), tests)
    runs = [_run("bench", tmp_path, "--events", 3000, "--json") for _ in range(2)]
    assert [code for code, _ in runs] == [0, 0]
    first, second = ({one["id"]: one for one in found} for _, found in runs)
    assert set(first["idle"]) == {"id", "ns_per_event", "fuel_per_event", "memory_bytes"}
    assert {name: one["fuel_per_event"] for name, one in first.items()} == {
        name: one["fuel_per_event"] for name, one in second.items()
    }
    assert 0 < first["idle"]["fuel_per_event"] < 10
    assert 500 * 3 < first["turns"]["fuel_per_event"] < 500 * 12
    assert first["turns"]["memory_bytes"] == 2 * 65536


def test_time_and_fuel_are_of_the_events_the_rule_is_asked_about(tmp_path: Path) -> None:
    tests = """tests:
      - {name: a, kind: open, path: /etc/shadow, expect: no-match}
      - {name: b, kind: capset, expect: no-match}
    """
    # Of ABI 0 and without `kinds` only opens are shown; a capset burns nothing.
    count = "(local.tee $n (i32.add (local.get $n) (i32.const 1)))"
    long = f"(local $n i32) (loop $t (br_if $t (i32.lt_u {count} (local.get 1))))"
    _rule(tmp_path, "by-length", abi0(f"{long} i32.const 0"), tests, MANIFEST.replace("kinds: [open]\n", ""))
    bench = RuleBench(5000)
    spec = load_spec(tmp_path / "by-length", builtin=False)
    cost, source = bench.measure(spec)
    only = load_spec(_rule(tmp_path, "only", abi0(f"{long} i32.const 0"), tests), builtin=False)
    assert bench.measure(only)[0].fuel_per_event == cost.fuel_per_event
    bench.close()
    assert source == "its own tests"


def test_an_endless_loop_ends_with_its_deadline_or_with_its_fuel(tmp_path: Path) -> None:
    tests = "tests: [{name: a, kind: open, path: /x, expect: no-match}]\n"
    clock = '(import "host" "get_timestamp" (func $now (result i64))) (global $calls (mut i32) (i32.const 0))'
    # Endless on the third call, whichever way it is called.
    body = """(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (loop $l (br_if $l (i32.eq (global.get $calls) (i32.const 3)))) (drop (call $now)) i32.const 0"""
    _rule(tmp_path, "loops", abi0(body, clock), tests, MANIFEST + "capabilities: [clock]\n")
    code, text = _run("bench", tmp_path)
    assert code == 1
    assert "no answer within 100 ms" in text
    spec, fueled = load_spec(tmp_path / "loops", builtin=False), Sandbox(fuel=True)
    rule = LoadedRule(fueled, spec, read_module(spec), Clock(0))
    record = opens(b"/x").at(0)
    assert [rule.burn(record) > 0 for _ in range(2)] == [True, True]
    with pytest.raises(RuleError, match="fuel"):
        rule.burn(record)
    rule.close()
    fueled.close()


def test_fuel_is_counted_with_the_events_own_time_and_processes(tmp_path: Path) -> None:
    """Both rules burn much only when they are told what a live one would be."""
    tests = """tests:
      - name: a
        expect: no-match
        events: [{kind: exec, pid: 7, exe: /bin/sh}, {kind: open, pid: 7, path: /x}]
    """
    turn = "(br_if $t (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 5000)))"
    turns = f"(local $n i32) (if %s (then (loop $t {turn}))) i32.const 0"
    time = (
        '(import "host" "get_timestamp" (func $now (result i64)))',
        "(i64.gt_u (call $now) (i64.const 1000000000000000000))",
    )
    look = ('(import "host" "get_process" (func $get (param i32 i32 i32) (result i32)))',
            "(call $get (i32.const 7) (i32.const 0) (i32.const 1024))")  # fmt: skip
    bench = RuleBench(1000)
    for name, (rest, asks) in {"time": time, "process": look}.items():
        capability = "clock" if name == "time" else "process"
        manifest = MANIFEST.replace("[open]", "[exec, open]") + f"capabilities: [{capability}]\n"
        rule = _rule(tmp_path, name, abi1(turns % asks, rest), tests, manifest)
        cost, _ = bench.measure(load_spec(rule, builtin=False))
        assert cost.fuel_per_event > 5000
    bench.close()


def test_more_events_than_are_kept_at_once_are_gone_over_again(tmp_path: Path) -> None:
    tests = "tests: [{name: a, kind: open, path: /etc/shadow, expect: no-match}]\n"
    # Counts its calls in a page that grows by one for each 65,536 of them: all seven rounds of 100,000 come by.
    body = """(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (if (i32.eqz (i32.and (i32.load (i32.const 0)) (i32.const 65535))) (then (drop (memory.grow (i32.const 1)))))
      i32.const 0"""
    spec = load_spec(_rule(tmp_path, "counts", abi0(body), tests), builtin=False)
    bench = RuleBench(100_000)
    cost, _ = bench.measure(spec)
    bench.close()
    calls = 7 * -(-100_000 // BATCH) * BATCH
    assert cost.memory_bytes == (2 + calls // 65536) * 65536


def test_a_rule_without_events_is_told_and_one_that_fails_is_bad(tmp_path: Path) -> None:
    asks = _rule(tmp_path, "asks", abi1("i32.const 0"), manifest=MANIFEST.replace("open", "capset"))
    code, text = _run("bench", tmp_path)
    assert code == 0
    assert "none  asks: " in text
    assert "has no event of the kinds it asks for" in text
    _rule(tmp_path, "traps", abi0("unreachable"), "tests: [{name: a, kind: open, path: /x, expect: match}]\n")
    code, text = _run("bench", tmp_path)
    assert code == 1
    assert "FAIL  traps: it failed at one of these events" in text
    _recording(asks / "take.rec")
    code, text = _run("bench", tmp_path, "--recording", asks / "gone.rec")
    assert code == 1
    assert f"cannot read {asks / 'gone.rec'}" in text
    assert "Traceback" not in text
