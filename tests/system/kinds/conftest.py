"""One source for all tests of this folder, and a way to cause events in a child."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.collector.loader import Loading
from sentinel_engine.collector.preflight import Loader
from sentinel_engine.records import Record
from tests.system.kinds.causes import PRELUDE, Cause, until_exit


@pytest.fixture(scope="package", params=[Loader.CORE, Loader.BCC])
def source(request: pytest.FixtureRequest) -> Iterator[LiveSource]:
    live = LiveSource.open(Loading(request.param))
    yield live
    live.close()


@pytest.fixture
def cause(source: LiveSource) -> Cause:
    """Runs Python code in a child and returns the child's records, from its exec to its exit."""

    def run(code: str, *arguments: str, cwd: Path | str = "/", **options: Any) -> list[Record]:
        command = [sys.executable, "-I", "-S", "-c", PRELUDE + textwrap.dedent(code), *arguments]
        child = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, **options)
        return until_exit(source, child)

    return run
