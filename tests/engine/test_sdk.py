"""What the Rust SDK gives a rule beyond its event: other processes, and a state that outlives a reload."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_engine.records import Clock, batch_of
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.build import Builder
from sentinel_engine.rules.event_yaml import encode_event
from sentinel_engine.rules.policy import Policy
from sentinel_engine.rules.registry import Registry
from sentinel_engine.rules.toolchain import BuildError, find_rust
from sentinel_engine.rules.workshop import Workshop
from sentinel_engine.wasm.sandbox import Sandbox

RULE = """
#![no_std]
use sentinel_sdk::*;
rule!(check);

/// A connection by what a web server started, however deep.
fn check(event: &Event) -> i32 {
    let shell = event.process().map_or(false, |own| own.exe() == b"/bin/sh" && own.argv() == b"sh\\0-i\\0");
    match event.ancestors().position(|process| basename(process.exe()) == b"nginx") {
        Some(depth) if shell => 10 + depth as i32,
        _ => 0,
    }
}
"""
TESTS = """
tests:
  - name: a shell below a web server
    expect: match
    events:
      - {kind: exec, pid: 5, exe: /usr/sbin/nginx, argv: [nginx]}
      - {kind: fork, pid: 5, child_pid: 6}
      - {kind: exec, pid: 6, ppid: 5, exe: /usr/bin/php-fpm, argv: [php-fpm]}
      - {kind: fork, pid: 6, child_pid: 7}
      - {kind: exec, pid: 7, ppid: 6, exe: /bin/sh, argv: [sh, -i]}
      - {kind: connect, pid: 7, ppid: 6, addr: 10.0.0.5, port: 4444}
  - name: the same below something else
    expect: no-match
    events:
      - {kind: exec, pid: 5, exe: /usr/sbin/sshd, argv: [sshd]}
      - {kind: exec, pid: 7, ppid: 5, exe: /bin/sh, argv: [sh, -i]}
      - {kind: connect, pid: 7, ppid: 5, addr: 10.0.0.5, port: 4444}
  - {name: of nobody we know, expect: no-match, kind: connect, pid: 7, addr: 10.0.0.5, port: 4444}
"""


def _toolchain_or_skip() -> None:
    try:
        find_rust()
    except BuildError as error:
        pytest.skip(str(error))


def test_a_rule_walks_up_the_process_tree(tmp_path: Path) -> None:
    _toolchain_or_skip()
    folder = tmp_path / "below-nginx"
    (folder / "src").mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "src" / "lib.rs").write_text(RULE)
    (folder / "tests.yaml").write_text(TESTS)
    manifest = 'version: "1"\ntitle: t\nseverity: low\nkinds: [connect]\ncapabilities: [process]\n'
    (folder / "rule.yaml").write_text(manifest)
    work = tmp_path / "target"
    work.mkdir()
    Builder(work, sdk=data_dir("rules") / "sdk").build(folder)
    sandbox = Sandbox()
    finding = Workshop([(tmp_path, False)], sandbox, Clock(0), Policy()).look(folder)
    assert finding.problem is None  # its own tests have passed
    finding.close()
    sandbox.close()


def _of(pid: int, **fields: object) -> bytes:
    return encode_event({"pid": pid, "start": pid, **fields})


def test_a_built_in_rule_remembers_over_a_reload_what_it_has_seen() -> None:
    registry = Registry([(data_dir("rules"), True)], clock=Clock(0))
    registry.load()
    socket = {"kind": "dup", "old_fd": 3, "addr": "10.0.0.5", "port": 4444}
    assert registry.run(batch_of([_of(7, new_fd=0, **socket), _of(7, new_fd=1, **socket)])) == []
    change = registry.apply(registry.workshop.look(registry.path_of("reverse-shell")))
    assert "it keeps its state" in change.said
    verdicts = registry.run(batch_of([_of(7, kind="exec", exe="/bin/sh", argv=["sh"])]))
    assert [verdict.spec.id for verdict in verdicts] == ["reverse-shell"]
    registry.close()
