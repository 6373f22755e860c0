"""Themes: the shipped ones are whole and readable, a bad one is a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from textual.color import Color

from sentinel_engine.resources import data_dir
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_tui.theming import MAX_THEME, ThemeError, load_theme, load_themes, start_theme, variable_defaults


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(color: Color) -> float:
        parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


SHIPPED = sorted(data_dir("themes").glob("*.yaml"))
NAMES = ["midnight", "daylight", "colour-blind", "high-contrast", "sixteen"]
# What terminals show for black, red, green, yellow, blue, magenta, cyan, white, then the bright ones.
PALETTES = {
    "linux": "000000 aa0000 00aa00 aa5500 0000aa aa00aa 00aaaa aaaaaa "
    "555555 ff5555 55ff55 ffff55 5555ff ff55ff 55ffff ffffff",
    "xterm": "000000 cd0000 00cd00 cdcd00 0000ee cd00cd 00cdcd e5e5e5 "
    "7f7f7f ff0000 00ff00 ffff00 5c5cff ff00ff 00ffff ffffff",
    "windows": "0c0c0c c50f1f 13a10e c19c00 0037da 881798 3a96dd cccccc "
    "767676 e74856 16c60c f9f1a5 3b78ff b4009e 61d6d6 f2f2f2",
    "gnome": "171421 c01c28 26a269 a2734c 12488b a347ba 2aa1b3 d0cfcc "
    "5e5c64 f66151 33d17a e9ad0c 2a7bde c061cb 33c7de ffffff",
}


def test_midnight_comes_first() -> None:
    themes, problems = load_themes(data_dir("themes"))
    assert [theme.name for theme in themes] == NAMES
    assert problems == []


def seen(value: str, palette: str) -> Color:
    """The colour that a terminal with this palette shows."""
    color = Color.parse(value)
    return color if color.ansi is None else Color.parse(f"#{palette.split()[color.ansi]}")


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_theme_colours_every_kind_and_can_be_read(path: Path, palette: str) -> None:
    assert yaml.safe_load(path.read_text())["kinds"].keys() == KIND_BY_NAME.keys()
    colors = {name: seen(value, palette) for name, value in load_theme(path, shipped=True).variables.items()}
    assert colors.keys() >= variable_defaults().keys()
    grounds = {"base-background", "base-bar", "base-cursor"}
    for name in variable_defaults().keys() - grounds:
        # WCAG AA for text; borders and their titles are larger shapes.
        wanted = 3.0 if name.startswith("pane-") else 4.5
        assert contrast(colors[name], colors["base-background"]) >= wanted, name
    for ground in grounds:
        assert contrast(colors["base-text"], colors[ground]) >= 4.5, ground


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("name: midnight", "name: Mid Night"), "is wrong: Expected `str` matching regex"),
        (('text: "#dadada"', "text: crimson"), "$.base.text"),
        (("dark: true", "dark: true\nfont: big"), "unknown field `font`"),
        (("  exec:", "  exce:"), "colours exce, which is no event kind"),
        (("dark: true", "dark: [true"), "is not YAML"),
        (('text: "#dadada"', "text: white"), "mixes #rrggbb with names of colours"),
        (("panes:", "rest:"), "unknown field `rest`"),
        (("dark: true", "dark: !!python/object:os.system ls"), "is not YAML"),
        (("dark: true", "dark: true #" + "x" * MAX_THEME), "is larger than 64 KiB"),
    ],
)
def test_a_bad_theme_is_one_sentence(tmp_path: Path, change: tuple[str, str], sentence: str) -> None:
    path = tmp_path / "bad.yaml"
    text = (data_dir("themes") / "midnight.yaml").read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    with pytest.raises(ThemeError) as caught:
        load_theme(path)
    assert sentence in str(caught.value)
    assert "bad.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_theme_does_not_take_the_good_one_with_it(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ThemeError, match=r"bad\.yaml is not YAML"):
        load_themes(tmp_path)
    (tmp_path / "good.yaml").write_bytes(SHIPPED[0].read_bytes())
    themes, problems = load_themes(tmp_path)
    assert len(themes) == len(problems) == 1


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(ThemeError, match="there is no theme in"):
        load_themes(tmp_path)


def themed(folder: Path, name: str, file: str) -> Path:
    folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / file
    path.write_text((data_dir("themes") / "midnight.yaml").read_text().replace("name: midnight", f"name: {name}"))
    path.chmod(0o600)
    return path


def test_the_users_own_themes_come_too_and_win(tmp_path: Path) -> None:
    themed(tmp_path / "own", "mine", "a.yaml")
    themed(tmp_path / "own", "daylight", "b.yaml")
    (tmp_path / "own" / "c.yaml").write_text("name: [")
    themes, problems = load_themes(data_dir("themes"), [tmp_path / "own", tmp_path / "not-there"])
    assert [theme.name for theme in themes] == [
        "midnight",
        "daylight",
        "colour-blind",
        "high-contrast",
        "mine",
        "sixteen",
    ]
    assert themes[1].dark
    assert len(problems) == 1
    assert "c.yaml is not YAML" in problems[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to fear from who can write its themes")
def test_root_refuses_a_theme_that_others_can_write(tmp_path: Path) -> None:
    path = themed(tmp_path / "own", "mine", "mine.yaml")
    path.chmod(0o666)
    themes, problems = load_themes(data_dir("themes"), [tmp_path / "own"])
    assert [theme.name for theme in themes] == NAMES
    assert "can be written by other users than root; run: chmod" in problems[0]


@pytest.mark.parametrize(
    ("asked", "kept", "environ", "expected"),
    [
        ("", "", {"TERM": "xterm-256color"}, "midnight"),
        ("", "daylight", {"TERM": "xterm-256color"}, "daylight"),
        ("", "daylight", {"TERM": "xterm", "COLORTERM": "truecolor"}, "daylight"),
        ("", "daylight", {"TERM": "linux"}, "sixteen"),
        ("", "daylight", {"TERM": "vt100"}, "sixteen"),
        ("", "", {"TERM": "screen"}, "sixteen"),
        ("", "", {"TERM": "tmux-256color"}, "midnight"),
        ("", "", {}, "sixteen"),
        ("high-contrast", "daylight", {"TERM": "linux"}, "high-contrast"),
        ("gone", "gone", {"TERM": "xterm-256color"}, "midnight"),
    ],
)
def test_the_first_theme_is_one_that_the_terminal_can_show(
    asked: str, kept: str, environ: dict[str, str], expected: str
) -> None:
    assert start_theme(NAMES, asked, kept, environ) == expected
