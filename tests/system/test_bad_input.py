"""Each way to be wrong gets one plain sentence, the exit code of its kind, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.conftest import Run, in_mounts

MODULES = Path(__file__).parents[1] / "engine" / "modules"
HOST, USAGE, BAD = 3, 2, 1


def _one_sentence(result, code: int, *words: str) -> None:  # type: ignore[no-untyped-def]
    assert result.returncode == code, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("sentinel-tui: ")
    for word in words:
        assert word in lines[0]


@pytest.mark.kernel
def test_without_privilege(run: Run) -> None:
    result = run("watch", under=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    _one_sentence(result, HOST, "root", "CAP_BPF", "sentinel-tui demo")


@pytest.mark.kernel
def test_without_btf(run: Run) -> None:
    result = run("watch", under=in_mounts("mount -t tmpfs none /sys/kernel/btf"))
    _one_sentence(result, HOST, "BTF", "sentinel-tui demo")


@pytest.mark.kernel
def test_without_bcc(run: Run) -> None:
    result = run("watch", "--loader", "bcc", under=in_mounts("mount -t tmpfs none /usr/lib/python3/dist-packages/bcc"))
    _one_sentence(result, HOST, "apt install python3-bpfcc")


@pytest.mark.kernel
def test_with_another_bcc(run: Run, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("name = 'a package of the same name'\n")
    result = run(
        "watch", "--loader", "bcc", under=in_mounts(f"mount --bind {tmp_path} /usr/lib/python3/dist-packages/bcc")
    )
    _one_sentence(result, HOST, "apt install python3-bpfcc", "unrelated")


@pytest.mark.kernel
def test_a_host_without_bcc_needs_none(run: Run, tmp_path: Path) -> None:
    without = in_mounts("mount -t tmpfs none /usr/lib/python3/dist-packages/bcc")
    result = run("watch", "--duration", "0.2", "--session-dir", tmp_path, under=without)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["type"] == "summary"
    checks = json.loads(run("doctor", "--json", under=without).stdout)
    assert [check["detail"].partition(":")[0] for check in checks if check["check"] == "loader"] == ["core"]


@pytest.mark.kernel
def test_without_libbpf(run: Run) -> None:
    # Hides the library from the dynamic linker, under every name that it has.
    library = next(Path("/usr/lib").glob("*-linux-gnu/libbpf.so.1")).resolve()
    without = in_mounts(f"mount --bind /dev/null {library}")
    _one_sentence(run("watch", "--loader", "core", under=without), HOST, "apt install libbpf1", "sentinel-tui demo")
    checks = json.loads(run("doctor", "--json", under=without).stdout)
    assert [check["detail"].partition(":")[0] for check in checks if check["check"] == "loader"] == ["bcc"]


@pytest.mark.kernel
def test_doctor_says_the_same_with_a_fix(run: Run) -> None:
    good = run("doctor", "--json")
    assert good.returncode == 0
    assert all(check["ok"] for check in json.loads(good.stdout))
    result = run("doctor", "--json", under=in_mounts("mount -t tmpfs none /sys/kernel/btf"))
    assert result.returncode == HOST
    (bad,) = [check for check in json.loads(result.stdout) if not check["ok"]]
    assert set(bad) == {"check", "ok", "detail", "fix"}
    assert bad["check"] == "btf"
    assert bad["fix"]


def test_a_rules_folder_that_does_not_exist(run: Run) -> None:
    _one_sentence(run("rules", "list", "--rules", "/nonexistent/rules"), USAGE, "/nonexistent/rules")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("not-wasm.wasm", b"MZ this is no module", ("not", "WebAssembly")),
        ("text.wat", b"(module (oops", ()),
        (
            "reaches.wat",
            b'(module (import "env" "system" (func (param i32))) (memory (export "memory") 1)'
            b' (func (export "check_file_access") (param i32 i32) (result i32) i32.const 0))',
            ("env", "system"),
        ),
    ],
    ids=["not Wasm", "broken text", "unknown import"],
)
def test_a_module_that_cannot_run(run: Run, tmp_path: Path, name: str, content: bytes, words: tuple[str, ...]) -> None:
    (tmp_path / name).write_bytes(content)
    result = run("rules", "list", "--json", "--no-builtin-rules", "--rules", tmp_path)
    assert result.returncode == BAD
    (view,) = json.loads(result.stdout)
    assert (view["id"], view["state"]) == (name.rsplit(".", 1)[0], "failed")
    assert view["reason"]
    assert "\n" not in view["reason"]
    for word in words:
        assert word in view["reason"]


def test_a_broken_manifest(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "rule.yaml").write_text("id: mine\nseverity: [high\n")
    result = run("rules", "list", "--json", "--no-builtin-rules", "--rules", tmp_path)
    assert result.returncode == BAD
    (view,) = json.loads(result.stdout)
    assert view["state"] == "failed"
    assert "rule.yaml" in view["reason"]


def test_no_terminal(run: Run) -> None:
    _one_sentence(run("demo"), USAGE, "terminal", "watch")


@pytest.mark.kernel
def test_a_session_folder_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("watch", "--duration", "1", "--session-dir", tmp_path / "file" / "below")
    _one_sentence(result, USAGE, "session", "--session-dir")


def test_a_session_that_is_not_there(run: Run, tmp_path: Path) -> None:
    _one_sentence(run("export", "nothing", "--session-dir", tmp_path), USAGE, "nothing")


def test_wrong_use_points_to_help(run: Run) -> None:
    _one_sentence(run("watch", "--duration", "soon"), USAGE, "--duration", "--help")
    _one_sentence(run("wacth"), USAGE, "wacth")


def test_a_config_file_with_an_unknown_key(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("rulez: []\n")
    _one_sentence(run("rules", "list", "--config", config), USAGE, "c.yaml", "rulez")
