"""What the policy does not grant is not linked, and front ends say who has what."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_engine.records import Clock
from sentinel_engine.rules.policy import Policy
from sentinel_engine.rules.registry import Registry
from sentinel_engine.snapshot import RuleState, RuleView
from tests.engine.wasm_kit import abi0, opens

LOG = '(import "host" "log_message" (func $log (param i32 i32)))'
STATE = """(func (export "sentinel_snapshot") (result i64) (i64.const 0x0000000400000008))
  (func (export "sentinel_restore") (param i32 i32) (result i32) i32.const 0)"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir(mode=0o755)
    (folder / "logs.wat").write_bytes(abi0("i32.const 1", LOG))
    (folder / "keeps.wat").write_bytes(abi0("i32.const 1", STATE))
    (folder / "plain.wat").write_bytes(abi0("i32.const 1"))
    return folder


def _policy(folder: Path, text: str) -> Policy:
    path = folder.parent / "policy.yaml"
    path.write_text(text)
    return Policy.read(path)


def _views(registry: Registry) -> dict[str, RuleView]:
    return {view.id: view for view in registry.views()}


def test_an_import_that_is_not_granted_is_refused_with_the_line_that_grants_it(rules: Path) -> None:
    registry = Registry([(rules, False)], clock=Clock(0), policy=_policy(rules, "default: []\n"))
    registry.load()
    views = _views(registry)
    assert views["logs"].state is RuleState.FAILED
    assert "it imports host.log_message, for which it needs the capability log" in views["logs"].reason
    assert "- {id: logs, sha256: " in views["logs"].reason
    assert (views["plain"].state, views["plain"].denied) == (RuleState.ENABLED, ())
    assert (views["keeps"].state, views["keeps"].denied) == (RuleState.ENABLED, ("state",))
    # Not granted: the state stays behind when the rule is reloaded.
    assert "keeps its state" not in registry.apply(registry.workshop.look(rules / "keeps.wat")).said
    # The policy is read again with the rules.
    _policy(rules, "default: [log, state]\n")
    for finding in registry.workshop.look_everywhere(tested=True):
        registry.apply(finding)
    views = _views(registry)
    assert (views["logs"].capabilities, views["keeps"].capabilities) == (("log",), ("state",))
    assert "keeps its state" in registry.apply(registry.workshop.look(rules / "keeps.wat")).said
    assert len(registry.run(opens(b"/x"))) == 3
    registry.close()


def test_a_config_that_is_not_granted_is_refused(rules: Path) -> None:
    folder = rules / "tuned"
    folder.mkdir(mode=0o755)
    takes = '(func (export "sentinel_config") (param i32 i32) (result i32) i32.const 0)'
    (folder / "rule.wat").write_bytes(abi0("i32.const 1", takes))
    (folder / "rule.yaml").write_text('version: "1"\ntitle: t\nseverity: low\nconfig: {a: 1}\n')
    registry = Registry([(rules, False)], clock=Clock(0), policy=_policy(rules, "default: [log]\n"))
    registry.load()
    assert "needs the capability config, which the policy does not grant" in _views(registry)["tuned"].reason
    registry.close()


def test_the_command_line_says_who_has_what(rules: Path) -> None:
    path = _policy(rules, "default: [log]\n").path
    assert path
    options = ["--no-builtin-rules", "--rules", str(rules), "--policy", str(path)]
    run = [sys.executable, "-c", "from sentinel_tui.cli import main; main()"]
    listed = subprocess.run([*run, "rules", "list", *options, "--json"], capture_output=True, check=True)
    found = {view["id"]: (view["capabilities"], view["denied"]) for view in json.loads(listed.stdout)}
    assert found == {"logs": (["log"], []), "keeps": ([], ["state"]), "plain": ([], [])}
    text = subprocess.run([*run, "doctor", *options], capture_output=True, text=True, check=False).stdout
    assert f"policy        {path}: 0 rules by name, others get log" in text
    assert "keeps may use nothing; not granted: state" in text
    path.write_text("default: [everything]\n")
    refused = subprocess.run([*run, "rules", "list", *options], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "default: unknown 'everything'" in refused.stderr
