"""What the console remembers of its view: private, whole, and no harm when it is not."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from sentinel_tui.state import ViewState, load, save


def test_it_is_as_it_was_kept_and_nobody_elses_business(tmp_path: Path) -> None:
    path = tmp_path / "state" / "view.json"
    kept = ViewState(theme="daylight", pane="alerts", sort="p99", grouped=False, welcomed=True, filters=["comm=sh"])
    save(kept, path)
    assert load(path) == (kept, "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    save(ViewState(), path)
    assert load(path) == (ViewState(), "")
    assert [one.name for one in path.parent.iterdir()] == ["view.json"]


def test_the_first_run_has_none(tmp_path: Path) -> None:
    assert load(tmp_path / "view.json") == (ViewState(), "")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'{"theme": 7}',
        b'{"theme": "' + b"x" * 65 + b'"}',
        b"[" * 5000,
        b'{"filters": [7]}',
        b" " * 70_000,
    ],
)
def test_a_damaged_one_is_said_and_left(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "view.json"
    path.write_bytes(content)
    path.chmod(0o600)
    found, notice = load(path)
    assert found == ViewState()
    assert notice.startswith("the view is not as you left it: ")
    assert str(path) in notice
    assert "\n" not in notice


def test_every_cut_is_either_whole_or_said(tmp_path: Path) -> None:
    path = tmp_path / "view.json"
    save(ViewState(theme="daylight", welcomed=True), path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert load(path)[1], length


def test_other_versions_get_on_with_it(tmp_path: Path) -> None:
    path = tmp_path / "view.json"
    path.write_bytes(msgspec.json.encode({"theme": "daylight", "of": "tomorrow"}))
    path.chmod(0o600)
    assert load(path) == (ViewState(theme="daylight"), "")


def test_a_link_is_replaced_and_never_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"{}")
    path = tmp_path / "state" / "view.json"
    path.parent.mkdir(mode=0o700)
    path.symlink_to(other)
    assert "is a symbolic link" in load(path)[1]
    save(ViewState(theme="daylight"), path)
    assert other.read_bytes() == b"{}"
    assert not path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to fear from who can write its state")
def test_root_neither_reads_nor_writes_where_others_can_write(tmp_path: Path) -> None:
    path = tmp_path / "state" / "view.json"
    save(ViewState(theme="daylight"), path)
    path.chmod(0o666)
    assert load(path)[0] == ViewState()
    path.parent.chmod(0o777)
    with pytest.raises(PermissionError):
        save(ViewState(), path)
