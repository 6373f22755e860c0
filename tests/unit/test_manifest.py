"""Rules are found, their manifests read, and what is unsafe or wrong refused in one sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.manifest import (
    CAPABILITIES,
    MAX_MODULE,
    RuleProblem,
    RulesFolderError,
    RuleSpec,
    discover,
    load_spec,
    read_module,
)
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.snapshot import Severity

GOOD = """\
id: hidden-file
version: "1.2.0"
title: Hidden file opened
severity: low
attack: [T1564.001]
kinds: [open]
capabilities: [log]
limits: {memory_bytes: 65536, deadline_ms: 50}
message: "{comm} opened {path}"
config: {names: [a, b]}
"""
MINIMAL = 'version: "1"\ntitle: t\nseverity: low\n'
WAT = "(module)"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir(mode=0o755)
    return folder


def make_rule(rules: Path, name: str = "r", manifest: str = MINIMAL) -> Path:
    folder = rules / name
    folder.mkdir(mode=0o755)
    (folder / "rule.yaml").write_text(manifest)
    (folder / "rule.wat").write_text(WAT)
    return folder


def only_problem(rules: Path) -> RuleProblem:
    specs, problems = discover([rules], builtin=False)
    assert specs == []
    assert len(problems) == 1
    return problems[0]


def only_spec(rules: Path) -> RuleSpec:
    specs, problems = discover([rules], builtin=False)
    assert problems == []
    assert len(specs) == 1
    return specs[0]


def test_every_key_of_a_manifest(rules: Path) -> None:
    folder = make_rule(rules, manifest=GOOD)
    spec = only_spec(rules)
    assert (spec.id, spec.version, spec.title) == ("hidden-file", "1.2.0", "Hidden file opened")
    assert spec.severity is Severity.LOW
    assert (spec.attack, spec.kinds, spec.capabilities) == (("T1564.001",), ("open",), frozenset({"log", "config"}))
    assert (spec.limits.memory_bytes, spec.limits.deadline_ms) == (65536, 50)
    assert (spec.message, spec.config) == ("{comm} opened {path}", b'{"names":["a","b"]}')
    assert (spec.folder, spec.path, spec.enabled, spec.builtin) == (folder, folder / "rule.wat", True, False)
    assert read_module(spec) == WAT.encode()


def test_defaults_are_the_folders_name_and_no_capabilities(rules: Path) -> None:
    make_rule(rules, "quiet")
    spec = only_spec(rules)
    assert (spec.id, spec.kinds, spec.capabilities, spec.config) == ("quiet", (), frozenset(), b"")


def test_a_bare_module_is_named_by_its_file(rules: Path) -> None:
    (rules / "my_rule.wat").write_text(WAT)
    spec = only_spec(rules)
    assert (spec.id, spec.folder, spec.capabilities) == ("my_rule", None, CAPABILITIES)


def test_a_folder_that_is_one_rule(rules: Path) -> None:
    assert only_spec(make_rule(rules, "one")).id == "one"


def test_order_is_by_folder_and_name_and_the_rest_is_left_alone(rules: Path, tmp_path: Path) -> None:
    (rules / "b.wat").write_text(WAT)
    (rules / "a.wasm").write_bytes(b"\0asm")
    make_rule(rules, "c")
    for ignored in ("README.md", ".hidden.wat", "a.wat~", "#b.wat#", ".b.wat.swp", "notes.yaml"):
        (rules / ignored).write_text("x")
    for folder in ("sdk", "target", ".git", "__pycache__"):
        (rules / folder).mkdir()
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    (other / "aa.wat").write_text(WAT)
    specs, problems = discover([rules, other], builtin=False)
    assert ([spec.id for spec in specs], problems) == (["a", "b", "c", "aa"], [])


def test_the_second_of_two_equal_ids_is_a_problem(rules: Path) -> None:
    (rules / "same.wat").write_text(WAT)
    make_rule(rules, "same")
    specs, problems = discover([rules], builtin=False)
    assert len(specs) == 1
    assert "already taken" in problems[0].reason


@pytest.mark.parametrize(
    ("manifest", "reason", "fix"),
    [
        (MINIMAL + "sevrity: low\n", "unknown key 'sevrity'", "did you mean 'severity'?"),
        ('version: "1"\ntitle: t\nseverity: hihg\n', "severity: ", "did you mean 'high'?"),
        (MINIMAL + "kinds: [opne]\n", "kinds: unknown 'opne'", "did you mean 'open'?"),
        (
            MINIMAL + "capabilities: [network]\n",
            "capabilities: unknown 'network'",
            "use one of clock, config, log, process, state",
        ),
        ("version: 1.10\ntitle: t\nseverity: low\n", "version: expected 'str', got 'float'", "put the value in quotes"),
        ("title: t\nseverity: low\n", "missing required field 'version'", "rules/README.md"),
        (MINIMAL + "limits: {memory_bytes: 99999999999}\n", "limits.memory_bytes: ", "rules/README.md"),
        (MINIMAL + "limits: {memory: 1}\n", "unknown key 'limits.memory'", "did you mean 'memory_bytes'?"),
        (MINIMAL + "title: again\n", "line 4: title is there twice", "correct the YAML"),
        (MINIMAL + "attack: [\n", "line 5: ", "correct the YAML"),
        (MINIMAL + "config: &a [1]\nmessage: *a\n", "line 5: an alias is not allowed", "correct the YAML"),
        (MINIMAL + "config: !!python/object/apply:os.getpid []\n", "line 4: ", "correct the YAML"),
        (MINIMAL + "config: " + "[" * 3000, "too deep", "plainly"),
        (MINIMAL + "config: {x: " + "y" * 20000 + "}\n", "config: is ", "keep it within 16384"),
        (MINIMAL + "id: ../x\n", "'../x' is no rule id", "use a-z"),
        (MINIMAL + "module: ../r/rule.wat\n", "module: '../r/rule.wat' is not", "name a file"),
        (MINIMAL + "module: gone.wasm\n", "gone.wasm cannot be opened", "correct its name"),
        ("- a\n", "is not a list of 'key: value' lines", "rules/README.md"),
        ("a\0b: 1\n", "bytes that YAML does not allow", "plain UTF-8"),
        ("? [a]\n: 1\n", "line 1: ", "correct the YAML"),
        ("#" * 70000, "larger than 64 KiB", "smaller"),
    ],
)
def test_a_bad_manifest_is_one_sentence_with_a_fix(rules: Path, manifest: str, reason: str, fix: str) -> None:
    folder = make_rule(rules, manifest=manifest)
    problem = only_problem(rules)
    assert problem.path == folder
    assert reason in problem.reason
    assert fix in problem.fix
    assert "\n" not in problem.reason + problem.fix


def test_bytes_that_are_not_text(rules: Path) -> None:
    folder = make_rule(rules)
    (folder / "rule.yaml").write_bytes(b"title: \xff\xfe\n")
    assert "YAML does not allow" in only_problem(rules).reason


def test_a_folder_without_a_manifest_or_module(rules: Path) -> None:
    (rules / "empty").mkdir(mode=0o755)
    assert "rule.yaml cannot be opened" in only_problem(rules).reason
    (rules / "empty" / "rule.yaml").write_text(MINIMAL)
    assert "no rule.wasm and no rule.wat" in only_problem(rules).reason


def test_the_common_misspelling_of_the_manifest(rules: Path) -> None:
    folder = make_rule(rules)
    (folder / "rule.yaml").rename(folder / "rule.yml")
    assert only_problem(rules).fix == "rename rule.yml to rule.yaml"


def test_links_pipes_and_folders_are_refused_at_once(rules: Path, tmp_path: Path) -> None:
    (tmp_path / "real.wat").write_text(WAT)
    (rules / "link.wat").symlink_to(tmp_path / "real.wat")
    (rules / "linked").symlink_to(make_rule(tmp_path, "elsewhere"))
    os.mkfifo(rules / "pipe.wasm")
    (rules / "folder.wasm").mkdir()
    specs, problems = discover([rules], builtin=False)
    assert specs == []
    reasons = {problem.id: problem.reason for problem in problems}
    assert "symbolic link" in reasons["link"]
    assert "symbolic link" in reasons["linked"]
    assert "not a regular file" in reasons["pipe"]
    assert set(reasons) == {"link", "linked", "pipe", "folder"}


def test_a_module_swapped_for_a_link_or_grown_after_discovery(rules: Path, tmp_path: Path) -> None:
    module = rules / "a.wasm"
    module.write_bytes(b"x" * MAX_MODULE)
    spec = only_spec(rules)
    assert len(read_module(spec)) == MAX_MODULE
    module.write_bytes(b"x" * (MAX_MODULE + 1))
    with pytest.raises(RuleError, match="larger than 1024 KiB"):
        read_module(spec)
    module.unlink()
    module.symlink_to(tmp_path / "other")
    with pytest.raises(RuleError, match="symbolic link"):
        read_module(spec)


def test_folders_that_cannot_be_used(rules: Path) -> None:
    with pytest.raises(RulesFolderError, match="does not exist"):
        discover([rules / "gone"], builtin=False)
    (rules / "a.wat").write_text(WAT)
    with pytest.raises(RulesFolderError, match="is not a folder"):
        discover([rules / "a.wat"], builtin=False)


def test_a_rule_that_vanishes_meanwhile(rules: Path) -> None:
    with pytest.raises(RuleError, match="cannot be opened"):
        load_spec(rules / "gone", builtin=False)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses what other users can write")


@needs_root
def test_root_refuses_what_others_can_write(rules: Path) -> None:
    folder = make_rule(rules)
    for path in (folder / "rule.wat", folder / "rule.yaml", folder):
        mode = path.stat().st_mode
        path.chmod(mode | 0o020)
        assert only_problem(rules).fix == f"run: chmod -R go-w {path}"
        path.chmod(mode)
        os.chown(path, 1234, 0)
        assert only_problem(rules).fix == f"run: chown -R root: {path}"
        os.chown(path, 0, 0)
    assert only_spec(rules).id == "r"
    rules.chmod(0o777)
    with pytest.raises(RulesFolderError, match="can be written by other users"):
        discover([rules], builtin=False)


@needs_root
def test_the_built_in_pack_may_be_its_groups_but_not_everyones(rules: Path) -> None:
    folder = make_rule(rules)
    folder.chmod(0o775)
    specs, problems = discover([rules], builtin=True)
    assert (len(specs), problems) == (1, [])
    folder.chmod(0o777)
    assert "can be written by other users" in discover([rules], builtin=True)[1][0].reason


def test_the_built_in_pack_is_all_good() -> None:
    specs, problems = discover([data_dir("rules")], builtin=True)
    assert problems == []
    assert {spec.id for spec in specs} >= {"sensitive-file-read", "reverse-shell", "exec-from-tmp", "persistence"}
    for spec in specs:
        assert spec.folder is not None
        assert spec.id == spec.folder.name
        assert spec.attack
        assert len(read_module(spec)) < 16 << 10
