"""Every built-in rule passes its own tests, stays small and asks for no more than it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.manifest import RuleSpec, discover, load_spec, read_module
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.selftest import run_tests
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_tui.cli import cli

SPECS = {spec.id: spec for spec in discover([data_dir("rules")], builtin=True)[0]}
EXPECTED = {
    "exec-from-tmp", "kernel-code-load", "log-wiping", "persistence", "ptrace-injection", "reverse-shell",
    "sensitive-file-read", "setuid-bit",
}  # fmt: skip


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def test_the_pack_is_whole() -> None:
    assert set(SPECS) >= EXPECTED


@pytest.mark.parametrize("rule_id", sorted(EXPECTED))
def test_a_rule_matches_what_it_says(rule_id: str, sandbox: Sandbox) -> None:
    spec = SPECS[rule_id]
    results = run_tests(spec, read_module(spec), sandbox)
    assert [result for result in results if not result.ok] == []
    assert sum(result.expected == "match" for result in results) >= 3
    assert sum(result.expected == "no-match" for result in results) >= 3


def own_rule(tmp_path: Path, wat: str, tests: str) -> RuleSpec:
    folder = tmp_path / "own"
    folder.mkdir(mode=0o755)
    (folder / "rule.yaml").write_text('version: "1"\ntitle: own\nseverity: low\nkinds: [open]\n')
    (folder / "rule.wat").write_text(wat)
    (folder / "tests.yaml").write_text(tests)
    return load_spec(folder, builtin=False)


# Matches when the path's second byte is 'x'.
WAT = """(module (memory (export "memory") 1)
  (func (export "check_file_access") (param i32 i32) (result i32)
    (i32.eq (i32.load8_u offset=1 (local.get 0)) (i32.const 120))))"""


def test_wrong_expectations_are_told_apart(tmp_path: Path, sandbox: Sandbox) -> None:
    tests = """tests:
      - {name: right, kind: open, path: /x, expect: match}
      - {name: wrong, kind: open, path: /y, expect: match}
      - name: wrong in the middle
        expect: no-match
        events: [{kind: open, path: /x, expect: no-match}, {kind: open, path: /y}]
    """
    spec = own_rule(tmp_path, WAT, tests)
    right, wrong, middle = run_tests(spec, read_module(spec), sandbox)
    assert (right.ok, right.got, right.detail) == (True, "match", "")
    assert (wrong.ok, wrong.got, wrong.detail) == (False, "no-match", "event 1 of 1: no-match")
    assert (middle.ok, middle.detail) == (False, "event 1 of 2: match")


def test_a_rule_that_traps_has_failed_its_test(tmp_path: Path, sandbox: Sandbox) -> None:
    wat = """(module (memory (export "memory") 1)
      (func (export "check_file_access") (param i32 i32) (result i32) unreachable))"""
    spec = own_rule(tmp_path, wat, "tests: [{name: t, kind: open, path: /x, expect: no-match}]")
    (result,) = run_tests(spec, read_module(spec), sandbox)
    assert (result.ok, result.got) == (False, "error")


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ("a: 1", "has no list of tests"),
        ("tests: [1]", "test 1 is not a list of"),
        ("tests: [{name: t, kind: open, path: /x}]", "missing required field `expect`"),
        ("tests: [{name: t, kind: open, path: /x, expect: perhaps}]", "perhaps"),
        ("tests: [{name: t, expect: match, events: []}]", "length >= 1"),
        ("tests: [{name: t, kind: opne, expect: match}]", "unknown kind 'opne'"),
        ("tests: [{name: t, expect: match, events: [{kind: open, expect: perhaps}]}]", "perhaps"),
        ("tests: [", "line 2"),
    ],
)
def test_a_bad_tests_file_is_one_sentence(tmp_path: Path, sandbox: Sandbox, tests: str, reason: str) -> None:
    spec = own_rule(tmp_path, WAT, tests + "\n")
    with pytest.raises(RuleError) as caught:
        run_tests(spec, read_module(spec), sandbox)
    assert "tests.yaml" in caught.value.reason
    assert reason in caught.value.reason


def test_a_rule_without_tests_has_none(tmp_path: Path, sandbox: Sandbox) -> None:
    spec = own_rule(tmp_path, WAT, "tests: []")
    assert spec.folder is not None
    (spec.folder / "tests.yaml").unlink()
    assert run_tests(spec, read_module(spec), sandbox) == []


def test_the_tests_of_the_readme_are_understood(tmp_path: Path, sandbox: Sandbox) -> None:
    page = (data_dir("rules") / "README.md").read_text().split("## tests.yaml", 1)[1]
    spec = own_rule(tmp_path, WAT, page.split("```yaml\n", 1)[1].split("```", 1)[0])
    assert [(result.name, result.got) for result in run_tests(spec, read_module(spec), sandbox)] == [
        ("a program named sudo that is not sudo", "no-match")
    ]


def test_the_command_reports_each_rule_and_fails_with_one(tmp_path: Path) -> None:
    assert "tests passed" in CliRunner().invoke(cli, ["rules", "test"], catch_exceptions=False).output
    own_rule(tmp_path, WAT, "tests: [{name: wrong, kind: open, path: /y, expect: match}]")
    result = CliRunner().invoke(cli, ["rules", "test", str(tmp_path)])
    assert result.exit_code == 1
    assert "own: wrong: expected match, got no-match (event 1 of 1: no-match)" in result.output
    good = CliRunner().invoke(cli, ["rules", "check", "--json", str(tmp_path)])
    assert (good.exit_code, [one["ok"] for one in json.loads(good.output)]) == (0, [True])
    (tmp_path / "own" / "rule.wat").write_text("(module)")
    bad = CliRunner().invoke(cli, ["rules", "check", "--json", str(tmp_path)])
    assert bad.exit_code == 1
    assert "check_file_access" in json.loads(bad.output)[0]["problems"][0]["reason"]
