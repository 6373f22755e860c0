"""`rules check`, `rules test` over recordings, and `rules bench`: what an author is told of a rule."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine.collector.source import BootProcess
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import batch_of, encode
from sentinel_engine.rules.check import check
from sentinel_engine.rules.manifest import load_spec, read_module
from sentinel_engine.rules.selftest import run_tests
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.wasm.sandbox import Sandbox
from tests.engine.wasm_kit import abi0, abi1

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


def test_a_module_older_than_its_source_is_told(tmp_path: Path) -> None:
    rule = _rule(tmp_path, "old", ELEVEN)
    (rule / "src").mkdir()
    (rule / "src" / "rule.c").write_text("int x;")
    later = (rule / "rule.wat").stat().st_mtime + 10
    os.utime(rule / "src" / "rule.c", (later, later))
    code, text = _run("check", tmp_path)
    assert code == 1
    assert "is older than" in text
    assert "rules build" in text


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


def test_a_rule_without_events_or_that_fails_is_said(tmp_path: Path) -> None:
    _rule(tmp_path, "asks", abi1("i32.const 0"), manifest=MANIFEST.replace("open", "capset"))
    _rule(tmp_path, "traps", abi0("unreachable"), "tests: [{name: a, kind: open, path: /x, expect: match}]\n")
    code, text = _run("bench", tmp_path)
    assert code == 1
    assert "has no event of the kinds it asks for" in text
    assert "it failed at one of these events" in text
