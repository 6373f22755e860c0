"""The operator's policy: read strictly, and applied to what rules ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sentinel_engine.rules.manifest import CAPABILITIES
from sentinel_engine.rules.policy import Policy, PolicyError
from sentinel_engine.rules.reading import RuleError
from tests.engine.wasm_kit import spec

HASH = "ab" * 32
POLICY = f"""
default: [log]
builtin: [log, state]
rules:
  - {{id: known, grant: [process, log]}}
  - {{id: pinned, sha256: {HASH}, grant: [clock]}}
  - {{id: bad, deny: true}}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return Policy.read(path)


def _has(policy: Policy, rule_id: str, sha256: str = HASH, **fields: object) -> tuple[set[str], set[str]]:
    asked = frozenset({"log", "clock", "process", "state"})
    applied = policy.applied(spec(id=rule_id, capabilities=asked, **fields), sha256)
    return set(applied.capabilities), set(applied.denied)


def test_without_a_policy_a_rule_has_what_it_asks_for() -> None:
    assert _has(Policy(), "any") == ({"log", "clock", "process", "state"}, set())
    assert str(Policy()) == "no policy: each rule has what it asks for"


def test_a_rule_by_name_by_hash_built_in_or_neither(policy: Policy) -> None:
    assert _has(policy, "known") == ({"log", "process"}, {"clock", "state"})
    assert _has(policy, "pinned") == ({"clock"}, {"log", "process", "state"})
    assert _has(policy, "pinned", sha256="cd" * 32) == ({"log"}, {"clock", "process", "state"})
    assert _has(policy, "ours", builtin=True) == ({"log", "state"}, {"clock", "process"})
    assert _has(policy, "other") == ({"log"}, {"clock", "process", "state"})


def test_nothing_is_granted_that_was_not_asked_for(policy: Policy) -> None:
    applied = policy.applied(spec(id="known", capabilities=frozenset({"log"})), HASH)
    assert (applied.capabilities, applied.denied) == (frozenset({"log"}), frozenset())


def test_a_denied_rule_is_refused_and_the_hint_is_the_line_to_write(policy: Policy) -> None:
    with pytest.raises(RuleError, match=r"policy.yaml denies bad"):
        policy.applied(spec(id="bad"), HASH)
    hint = policy.applied(spec(id="other", capabilities=frozenset({"log", "clock"})), HASH).grant_hint
    line = hint.partition("- ")[2]
    assert policy.path
    policy.path.write_text(f"rules:\n  - {line}\ndefault: []\n")
    assert (
        policy.again().applied(spec(id="other", capabilities=frozenset({"log", "clock"})), HASH).denied == frozenset()
    )
    assert policy.again().applied(spec(id="third", capabilities=CAPABILITIES), HASH).denied == CAPABILITIES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defualt: [log]\n", "unknown key 'defualt'; did you mean 'default'?"),
        ("default: [network]\n", "default: unknown 'network'; use some of clock"),
        ("rules: [{id: x, grant: [root]}]\n", "rules[0].grant: unknown 'root'"),
        ("rules: [{grant: [log]}]\n", "missing required field 'rules[0].id'"),
        ("rules: [{id: x, sha256: ABC}]\n", "rules[0].sha256: "),
        ("rules: [{id: x, allow: [log]}]\n", "unknown key 'rules[0].allow'"),
        ("rules: 5\n", "rules: "),
        ("- a\n", "is not a list of 'key: value' lines"),
        ("default: &a [log]\nbuiltin: *a\n", "line 2: an alias is not allowed"),
        ("default: [log\n", "line 2: "),
    ],
)
def test_a_policy_that_is_wrong_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as refused:
        Policy.read(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root minds who can write")
def test_a_policy_that_others_can_change_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    for bad, said in (
        (link, "symbolic link"),
        (tmp_path / "none.yaml", "cannot be opened"),
        (tmp_path, "regular file"),
    ):
        with pytest.raises(PolicyError, match=said):
            Policy.read(bad)
    path.chmod(0o666)
    with pytest.raises(PolicyError, match="can be written by other users"):
        Policy.read(path)
