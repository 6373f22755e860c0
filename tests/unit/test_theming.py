"""Themes: the shipped ones are whole and readable, a bad one is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from textual.color import Color

from sentinel_engine.resources import data_dir
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_tui.theming import MAX_THEME, ThemeError, load_theme, load_themes, variable_defaults


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(color: Color) -> float:
        parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in color.normalized]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


SHIPPED = sorted(data_dir("themes").glob("*.yaml"))


def test_midnight_comes_first() -> None:
    themes, problems = load_themes(data_dir("themes"))
    assert [theme.name for theme in themes] == ["midnight", "daylight"]
    assert problems == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_theme_colours_every_kind_and_can_be_read(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["kinds"].keys() == KIND_BY_NAME.keys()
    colors = {name: Color.parse(value) for name, value in load_theme(path).variables.items()}
    assert colors.keys() == variable_defaults().keys()
    grounds = {"base-background", "base-bar", "base-cursor"}
    for name in colors.keys() - grounds:
        # WCAG AA for text; borders and their titles are larger shapes.
        wanted = 3.0 if name.startswith("pane-") else 4.5
        assert contrast(colors[name], colors["base-background"]) >= wanted, name
    for ground in grounds:
        assert contrast(colors["base-text"], colors[ground]) >= 4.5, ground


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("name: midnight", "name: Mid Night"), "is wrong: Expected `str` matching regex"),
        (('text: "#dadada"', "text: red"), "$.base.text"),
        (("dark: true", "dark: true\nfont: big"), "unknown field `font`"),
        (("  exec:", "  exce:"), "colours exce, which is no event kind"),
        (("dark: true", "dark: [true"), "is not YAML"),
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
