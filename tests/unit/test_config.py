"""Config files: what is wrong is said with file, line, key and what is allowed; the user's own wins over the host's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sentinel_tui import config
from sentinel_tui.config import ConfigError, Options, command_line, merge
from sentinel_tui.config_file import MAX_CONFIG

NOTHING = {
    "rules": (), "no_builtin_rules": False, "session_dir": None, "workers": None, "policy": None, "no_record": False,
    "keep": None, "keep_hours": None, "config": None,
}  # fmt: skip


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The host's folder and the user's, both empty."""
    found = [tmp_path / "host", tmp_path / "user"]
    for folder in found:
        folder.mkdir()
    monkeypatch.setattr(config, "_FOR_ALL", found[0])
    monkeypatch.setattr("platformdirs.user_config_path", lambda _: found[1])
    return found


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_without_a_file_all_is_as_by_default(folders: list[Path]) -> None:
    assert merge(NOTHING) == Options()


def test_the_users_file_wins_and_keys_add_up(folders: list[Path]) -> None:
    host = written(folders[0], "keep_mb: 64\ntheme: daylight\nread_only: true\nkeys: {filter: f5, quit: f10}\n")
    user = written(folders[1], "theme: midnight\nkeys: {filter: f6}\nrules: [~/mine]\n")
    found = merge(NOTHING)
    assert found.config_files == (str(host), str(user))
    assert (found.keep_mb, found.theme, found.read_only) == (64, "midnight", True)
    assert found.keys == {"filter": "f6", "quit": "f10"}
    assert found.rules == (Path("~/mine").expanduser(),)


def test_a_file_that_is_named_is_the_only_one(folders: list[Path], tmp_path: Path) -> None:
    written(folders[0], "this: is wrong\n")
    named = tmp_path / "mine.yaml"
    named.write_text("workers: 3\n")
    found = merge(NOTHING | {"config": named})
    assert (found.workers, found.config_files) == (3, (str(named),))


def test_the_command_line_wins_and_files_are_read_once(folders: list[Path]) -> None:
    written(folders[0], "workers: 3\nrules: [/srv/host]\nsession_dir: /srv/host\n")
    outer = command_line(NOTHING | {"rules": (Path("/srv/outer"),)})
    found = merge(NOTHING | {"workers": 2, "rules": (Path("/srv/inner"),), "session_dir": Path("/srv/x")}, outer)
    assert (found.workers, found.session_dir) == (2, Path("/srv/x"))
    assert [str(path) for path in found.rules] == ["/srv/host", "/srv/outer", "/srv/inner"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("read_only: true\n\nkeep_mb: lots\n", "line 3: keep_mb must be a whole number of MB, at least 4, not 'lots'"),
        ("keep_mb: 3\n", "line 1: keep_mb must be a whole number of MB, at least 4, not 3"),
        ("workers: 65", "line 1: workers must be a whole number from 1 to 64, not 65"),
        ("record: 1\n", "line 1: record must be true or false, not 1"),
        ("# mine\nkeep_mbs: 64\n", "line 2: keep_mbs is no key; did you mean keep_mb?"),
        ("wibble: 1\n", "line 1: wibble is no key; there are rules, builtin_rules, session_dir"),
        ("1: 2\n", "line 1: 1 is no key; there are rules"),
        ("rules: here\n", "line 1: rules must be a list of folders, not 'here'"),
        ("only: [name=x]\n", "line 1: only must be a list of uid=, pid= or cgroup= lines, such as [uid=1000], not"),
        ("theme: ../../etc\n", "line 1: theme must be the name of a theme, not '../../etc'"),
        (
            "theme: x\nkeys:\n  quit: f10\n  filtre: f\n",
            "line 4: filtre: there is no such action; did you mean filter?",
        ),
        ("keys:\n  filter: p\n", "line 2: filter: p is the key of pause already; give one of them another"),
        ("keys:\n  filter: shift+ctrl+x\n", "line 2: filter: 'shift+ctrl+x' is no key: write one character"),
        ("keys:\n  filter: escape\n", "line 2: filter: escape has a fixed meaning"),
        ("keys:\n  filter: []\n", "line 2: filter: name at least one key"),
        ("keys: 7\n", "line 1: keys must be 'action: key' lines, not 7"),
        ('theme: "\\e[31m"\n', r"not '\x1b[31m'"),
        ("- rules\n", "line 1: a config file is 'key: value' lines"),
        ("rules: [a\nlimit: 3\n", "line 2: "),
        ("limit: 1\nlimit: 2\n", "line 2: limit is there twice"),
        ("rules: &a [x]\nonly: *a\n", "line 2: an alias is not allowed"),
        ("#" * (MAX_CONFIG + 1), "is larger than 64 KiB"),
        ("rules: !!python/object/apply:os.system [ls]\n", "line 1: "),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_key(folders: list[Path], text: str, sentence: str) -> None:
    path = written(folders[1], text)
    with pytest.raises(ConfigError) as caught:
        merge(NOTHING)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to fear from who can write its config")
def test_root_refuses_a_file_that_others_can_write(folders: list[Path]) -> None:
    path = written(folders[0], "workers: 1\n")
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="can be written by other users than root; run: chmod"):
        merge(NOTHING)
    path.chmod(0o600)
    os.chown(path, 1000, 1000)
    with pytest.raises(ConfigError, match="belongs to user 1000, not to root; run: chown"):
        merge(NOTHING)


def test_a_link_is_not_followed(folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "other").write_text("workers: 1\n")
    (folders[0] / "config.yaml").symlink_to(tmp_path / "other")
    with pytest.raises(ConfigError, match="is a symbolic link; put the file itself there"):
        merge(NOTHING)


def test_an_empty_file_says_nothing(folders: list[Path]) -> None:
    path = written(folders[0], "# nothing yet\n")
    assert merge(NOTHING) == Options(config_files=(str(path),))


def test_what_the_readme_shows_is_a_config_file(folders: list[Path]) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme[readme.index("## Config, keys, themes") :]
    written(folders[0], section.split("```yaml\n")[1].split("```")[0])
    found = merge(NOTHING)
    assert (found.keep_mb, found.theme, found.keys["filter"]) == (512, "daylight", "f5")
