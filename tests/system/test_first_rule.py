"""From nothing to an alert on this kernel, by the commands of rules/README.md and nothing else."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sentinel_engine.resources import data_dir
from tests.system.conftest import COMMAND

pytestmark = pytest.mark.kernel
PAGE = (data_dir("rules") / "README.md").read_text()
DECOY = Path("/srv/passwords.txt")


@dataclass(frozen=True)
class Walk:
    """One walk-through: files to write and commands to type, in order; then what to do, and the alert that follows."""

    steps: list[tuple[str, str]]  # ("sh", a command) or (a file's name, its text)
    watch: list[str]
    deed: str
    message: str


def _walk(language: str) -> Walk:
    section = PAGE.split(f"### In {language}\n", 1)[1].split("\n### ", 1)[0]
    steps: list[tuple[str, str]] = []
    for name, kind, text in re.findall(
        r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL
    ):
        steps += [("sh", line) for line in text.splitlines()] if kind == "sh" else [(name, text)]
    (_, watch), (_, deed) = steps[-2:]
    (message,) = re.findall(r"^The alert: `(.+)`", section, re.MULTILINE)
    return Walk(steps[:-2], shlex.split(watch), deed, message)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The command is on PATH, as after `make install`; the decoy that the page makes goes away again."""
    there = DECOY.exists()
    yield os.environ | {"PATH": f"{Path(COMMAND).parent}:{os.environ['PATH']}"}
    if not there:
        DECOY.unlink(missing_ok=True)


@pytest.mark.parametrize("language", ["WAT", "Rust", "C"])
def test_the_page_leads_to_an_alert(language: str, tmp_path: Path, environment: dict[str, str]) -> None:
    walk = _walk(language)
    for name, text in walk.steps:
        if name != "sh":
            assert (tmp_path / name).is_file(), f"rules new makes no {name}"
            (tmp_path / name).write_text(text)
            continue
        # We are root already.
        command = shlex.split(text.removeprefix("sudo "))
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    (made,) = (path.name for path in (tmp_path / "my-rules").iterdir())
    assert _alerting(walk, tmp_path, environment) == [made]


def _alerting(walk: Walk, cwd: Path, environment: dict[str, str]) -> list[str]:
    """Watch, do the deed, and give the rules that raise the alert which the page promises."""
    command = [*walk.watch[1:], "--session-dir", str(cwd / "sessions")]
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stderr is not None
        assert watch.stdout is not None
        assert watch.stderr.readline().startswith("watching live")
        try:
            subprocess.run(walk.deed, shell=True, cwd=cwd, env=environment, timeout=20, check=False)  # noqa: S602 - the page's own line
            watch.send_signal(signal.SIGINT)
            alerts = [entry for line in watch.stdout if (entry := json.loads(line))["type"] == "alert"]
        finally:
            if watch.poll() is None:
                watch.terminate()
    return [alert["rule"]["id"] for alert in alerts if alert["message"] == walk.message]
