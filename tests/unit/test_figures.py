"""Short figures and exact widths, the ground of every table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sentinel_tui.widgets import figures
from sentinel_tui.widgets.bars import squeeze
from sentinel_tui.widgets.paint import fit, fold


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9999, "9999"), (12_400, "12.4k"), (124_000, "124k"), (1_204_377, "1.2M"), (999_999, "1.0M")],
)
def test_count(number: int, text: str) -> None:
    assert figures.count(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0ns"), (18, "18ns"), (1200, "1.2µs"), (41_000, "41µs"), (999_600, "1.0ms"), (2_000_000_000, "2s")],
)
def test_nanoseconds(number: int, text: str) -> None:
    assert figures.nanoseconds(number) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0B"), (65_536, "64K"), (1_572_864, "1.5M"), (96_468_992, "92M")])
def test_size(number: int, text: str) -> None:
    assert figures.size(number) == text


@given(st.integers(0, 10**12))
def test_figures_fit_their_columns(number: int) -> None:
    assert len(figures.count(number)) <= 5
    assert len(figures.nanoseconds(number)) <= 5
    assert len(figures.size(number)) <= 5


def test_elapsed_goes_past_99_hours() -> None:
    assert figures.elapsed(751) == "00:12:31"
    assert figures.elapsed(360_000) == "100:00:00"


def test_sparkline_is_scaled_to_its_largest_value() -> None:
    assert figures.sparkline((0, 50, 100), 3) == "▁▅█"
    assert figures.sparkline((), 4) == "▁▁▁▁"
    assert figures.sparkline((5, 0, 0), 2) == "▁▁"


@given(st.text(), st.integers(0, 60))
def test_fit_is_exact_and_inert(text: str, width: int) -> None:
    fitted = fit(text, width)
    assert cell_len(fitted) == width
    # Spaces of other widths are shown as they are; nothing that moves the cursor or hides text is.
    assert all(char.isprintable() or (char.isspace() and cell_len(char) == 1) for char in fitted)


@given(st.text(max_size=200), st.integers(2, 30), st.integers(1, 5))
def test_fold_keeps_to_the_width_and_the_limit(text: str, width: int, limit: int) -> None:
    lines = fold(text, width, limit)
    assert len(lines) <= limit
    assert all(cell_len(line) <= width for line in lines)


def test_fold_loses_nothing_that_has_room() -> None:
    assert fold("日本語abc", 4, 9) == ["日本", "語ab", "c"]


def test_squeeze_shortens_the_least_important_first() -> None:
    items = [[[("first long", "")], [("1st", "")]], [[("second", "")], [("2nd", "")], []]]
    text = [["".join(part for part, _ in form) for form in squeeze(items, width)] for width in (18, 16, 10, 3)]
    assert text == [["first long", "second"], ["first long", "2nd"], ["first long", ""], ["1st", ""]]
