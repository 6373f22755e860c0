"""Kernel tests run whenever they can, and say why when they cannot."""

from __future__ import annotations

import os

import pytest

from sentinel_engine.collector import preflight


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("kernel")]
    if not wanted:
        return
    bad = next((check for check in preflight.checks() if not check.ok), None)
    if bad is None:
        return
    must_run = os.environ.get("CI") == "true" and os.geteuid() == 0
    for item in wanted:
        if must_run:
            item.add_marker(pytest.mark.usefixtures("kernel_is_missing"))
        else:
            item.add_marker(pytest.mark.skip(reason=f"no live kernel: {bad.detail}"))


@pytest.fixture
def kernel_is_missing() -> None:
    pytest.fail("CI runs as root, but this kernel does not take the collector: see `sentinel-tui doctor`")
