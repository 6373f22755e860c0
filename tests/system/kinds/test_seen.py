"""Runs last in this folder: a kind that no test has caused would not be tested."""

from __future__ import annotations

import pytest

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.schema import KINDS

pytestmark = pytest.mark.kernel


def test_every_kind_was_seen(source: LiveSource) -> None:
    assert set(source.emitted()) == {kind.name for kind in KINDS}
