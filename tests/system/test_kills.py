"""Kills a real `watch` at random moments under load: what was shown is there, unbroken, and comes out the same again.

By hand, more of them: ``SENTINEL_KILLS=200 make test-long ARGS="tests/system/test_kills.py -s"``.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentinel_engine.session import digest, read_session
from tests.bench.loads import CPU, prepared
from tests.system.conftest import COMMAND

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
KILLS = int(os.environ.get("SENTINEL_KILLS", "40"))
RATE = 10_000  # opens a second
LATEST = 1.5  # seconds after the start


@contextmanager
def _load() -> Iterator[None]:
    with prepared() as loads:
        opens = loads.start("opens", 3600, CPU, RATE)
        try:
            yield
        finally:
            opens.kill()
            opens.communicate()


def _killed(root: Path, after: float) -> tuple[Path, dict[str, int]]:
    """The session of a `watch` that was killed so long after its start, and how often each alert was seen by then."""
    with subprocess.Popen(
        [COMMAND, "watch", "--session-dir", str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as live:
        assert live.stderr
        assert live.stderr.readline().startswith("watching")
        end = time.monotonic() + after
        while time.monotonic() < end:
            subprocess.run(["cat", "/etc/shadow"], capture_output=True, check=True)
        live.kill()
        lines = live.communicate()[0].splitlines(keepends=True)
    shown = [json.loads(line) for line in lines if line.endswith("}\n")]
    (folder,) = root.iterdir()
    return folder, {alert["id"]: alert["count"] for alert in shown if alert["type"] == "alert"}


def test_killed_at_any_moment_under_load_nothing_that_was_shown_is_missing(tmp_path: Path) -> None:
    dice, tally, wrong = random.Random(20261123), Counter[str](), []
    with _load():
        for turn in range(KILLS):
            root = tmp_path / str(turn)
            folder, shown = _killed(root, dice.uniform(0, LATEST))
            document, found = read_session(folder), digest(folder)
            kept = {alert.id: alert.count for alert in document.alerts}
            missing = [one for one, count in shown.items() if kept.get(one, 0) < count]
            verified = subprocess.run(
                [COMMAND, "replay", folder.name, "--verify", "--session-dir", str(root)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            tally.update(shown=len(shown), torn=found.torn, reproduced=verified.returncode == 0)
            if missing or found.broken or found.ended or found.torn > 1 or verified.returncode:
                wrong.append((turn, missing, found.broken, verified.stdout, verified.stderr))
    print(f"{KILLS} kills: {dict(tally)}")  # noqa: T201 - the figures of the long run
    assert not wrong, wrong[:5]
    assert tally["shown"] > KILLS
