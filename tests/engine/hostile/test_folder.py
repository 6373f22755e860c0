"""What somebody may leave in a folder of rules: none of it is opened, waited for or shown as it is."""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel_engine.records import Clock
from sentinel_engine.rules.registry import Registry
from sentinel_engine.snapshot import RuleState, RuleView
from sentinel_engine.text import inert
from tests.engine.wasm_kit import abi0, opens

MANIFEST = 'version: "1"\ntitle: t\nseverity: low\n'
GOOD = abi0("i32.const 1")


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def _device(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _folder(path: Path) -> None:
    path.mkdir()


def _manifest(text: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        folder = path.with_suffix("")
        folder.mkdir(mode=0o755)
        (folder / "rule.wat").write_bytes(GOOD)
        (folder / "rule.yaml").write_text(text)

    return write


THINGS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a symbolic link": (_link, "symbolic link"),
    "a pipe": (_fifo, "not a regular file"),
    "a socket": (_socket, ""),
    "a device": (_device, "not a regular file"),
    "a terabyte": (_sparse, "larger than"),
    "a folder that ends in .wasm": (_folder, ""),
    "aliases that grow": (
        _manifest("a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n" + MANIFEST), "alias is not allowed"),
    "a value that is too deep": (_manifest(MANIFEST + "config: " + "[" * 5000 + "]" * 5000), "too deep"),
    "a hundred thousand keys": (_manifest(MANIFEST + "".join(f"k{n}: 1\n" for n in range(100_000))), "larger than"),
    "a Python object": (_manifest(MANIFEST + "config: !!python/object/apply:os.system [id]\n"), "constructor"),
    "a way out of the folder": (_manifest(MANIFEST + "module: ../../etc/passwd\n"), "not the name of a"),
    "an absolute way out": (_manifest(MANIFEST + "module: /etc/passwd.wasm\n"), "not the name of a"),
    "an id that is none": (_manifest(MANIFEST + 'id: "\\e[2J"\n'), "no rule id"),
}  # fmt: skip


def _load(folder: Path) -> tuple[Registry, dict[str, RuleView]]:
    registry = Registry([(folder, False)], clock=Clock(0))
    began = time.monotonic()
    registry.load()
    assert time.monotonic() - began < 2
    return registry, {view.id: view for view in registry.views()}


@pytest.mark.parametrize("name", THINGS)
def test_a_thing_in_the_folder_is_refused_and_the_rule_beside_it_runs(tmp_path: Path, name: str) -> None:
    make, words = THINGS[name]
    tmp_path.chmod(0o755)
    (tmp_path / "good.wat").write_bytes(GOOD)
    make(tmp_path / "thing.wasm")
    registry, views = _load(tmp_path)
    bad = [view for view in views.values() if view.id != "good"]
    assert [view.state for view in bad] == [RuleState.FAILED]
    assert words in bad[0].reason
    assert len(registry.run(opens(b"/x"))) == 1
    registry.close()


def test_names_with_control_characters_are_refused_and_shown_inert(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for name in ("two\nlines.wat", "\x1b[2Jclear.wat", "a" * 200 + ".wat", "\u202egnp.wat", "caf\udce9.wat"):
        (tmp_path / name).write_bytes(GOOD)
    registry, views = _load(tmp_path)
    assert len(views) == 5
    for view in views.values():
        assert view.state is RuleState.FAILED
        for shown in (inert(view.id), inert(view.reason), inert(view.path)):
            assert not any(ord(character) < 32 or character == "\u202e" for character in shown)
    registry.close()


def test_a_title_and_a_log_line_are_inert_on_screen_and_whole_in_json(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    log = '(import "host" "log_message" (func $log (param i32 i32)))'
    code = abi0('(call $log (i32.const 0) (i32.const 9)) i32.const 1', log).replace(
        b'(memory (export "memory") 1)', b'(memory (export "memory") 1) (data (i32.const 0) "\\1b[2J\\ff\\00[b]")'
    )  # fmt: skip
    (tmp_path / "says.wat").write_bytes(code)
    registry, _ = _load(tmp_path)
    (verdict,) = registry.run(opens(b"/x"))
    assert verdict.logs == ("\x1b[2J\\xff\x00[b]",)
    assert "\x1b" not in inert(verdict.logs[0])
    registry.close()
