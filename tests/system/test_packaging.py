"""The wheel: it holds what runs, and runs where it was never built."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.system.terminal import Terminal

ROOT = Path(__file__).parents[2]
DATA = ("bpf", "rules", "themes")
DATA_SUFFIXES = {".c", ".h", ".o", ".rec", ".rs", ".wasm", ".wat", ".yaml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", folder, ROOT]
    subprocess.run([str(part) for part in build], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed command of a fresh environment, which borrows our dependencies but not this checkout."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel]
    subprocess.run([str(part) for part in install], check=True)
    # A .pth adds the folder alone; the editable install's own .pth in it is not followed.
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "sentinel-tui"


def _run(command: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(command), *arguments], cwd="/", capture_output=True, text=True, timeout=60, check=False)


def test_it_holds_all_data_and_no_generic_name(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [path for folder in DATA for path in (ROOT / folder).rglob("*") if path.suffix in DATA_SUFFIXES]
    assert {f"sentinel_engine/data/{path.relative_to(ROOT)}" for path in data} <= names
    assert "sentinel_engine/data/rules/demo.rec" in names
    assert {
        "sentinel_engine/export.schema.json",
        "sentinel_engine/export/report.html",
        "sentinel_tui/console.tcss",
    } <= names
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sentinel_engine", "sentinel_tui"}


def test_its_rules_are_found(command: Path) -> None:
    listed = _run(command, "rules", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    rules = json.loads(listed.stdout)
    assert {rule["id"] for rule in rules} == {path.parent.name for path in ROOT.glob("rules/*/rule.yaml")}
    assert all(not rule["reason"] and rule["sha256"] for rule in rules)
    assert not any(str(ROOT) in rule["path"] for rule in rules)


def test_it_begins_a_rule_in_each_language(command: Path, tmp_path: Path) -> None:
    for language in ("rust", "c", "wat"):
        made = _run(command, "rules", "new", language, "--lang", language, "--into", str(tmp_path / "rules"))
        assert made.returncode == 0, made.stderr
        built = _run(command, "rules", "build", str(tmp_path / "rules" / language))
        assert built.returncode == 0, built.stderr
    tested = _run(command, "rules", "test", str(tmp_path / "rules"))
    assert (tested.returncode, tested.stdout) == (0, "9 of 9 tests passed\n"), tested.stderr


def test_its_demo_plays(command: Path, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, [str(command), "demo", "--session-dir", str(tmp_path / "sessions")])
    try:
        terminal.until_text("▶ REPLAY")
        terminal.until_text("attack.sh")
        terminal.type("q")
        terminal.until("the end", lambda _: terminal.exit_code.exists() and terminal.exit_code.read_text() != "")
        assert terminal.exit_code.read_text().strip() == "0", (tmp_path / "stderr").read_text()
    finally:
        terminal.close()


@pytest.mark.kernel
def test_it_collects(command: Path, tmp_path: Path) -> None:
    watched = _run(command, "watch", "--duration", "0.5", "--session-dir", str(tmp_path / "sessions"))
    assert watched.returncode == 0, watched.stderr
    assert json.loads(watched.stdout.splitlines()[-1])["type"] == "summary"
