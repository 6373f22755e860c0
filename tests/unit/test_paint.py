"""Host text on a line of an exact width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sentinel_tui.widgets.paint import fit, fit_path, fold

TEXTS = st.one_of(st.text(max_size=300), st.text("/a.日\u202e\u200b\x1b[0m", max_size=300).map(lambda text: "/" + text))


@given(TEXTS, st.integers(1, 120))
def test_it_is_as_wide_as_it_was_to_be_and_inert(text: str, width: int) -> None:
    for line in (fit(text, width), fit_path(text, width)):
        assert cell_len(line) == width
        assert line.isprintable()


def test_a_path_keeps_its_end() -> None:
    path = "/root/.pyenv/versions/3.11.7/lib/python3.11/site-packages/evil.so"
    assert fit_path(path, 30).endswith("packages/evil.so")
    assert fit_path(path, 30).startswith("/root/")
    assert fit_path("no path, but words that go on and on", 12) == "no path, bu…"
    assert fit_path("/short", 12) == "/short      "


def test_four_kilobytes_are_cut_quickly_and_folded() -> None:
    path = "/" + "x/" * 2046 + "end"
    assert fit_path(path, 40).endswith("/end")
    assert len(fold(path, 40, 6)) == 6
