"""The search in the stream: linear in time, and clear about what it does not understand."""

from __future__ import annotations

import threading
import time

import pytest

from sentinel_tui.search import MAX_PATTERN, SearchError, find, parse_search
from tests.console.stage import Stage, record


def finds(text: str, line: str) -> bool:
    search = parse_search(text)
    assert search
    return search.finds(line)


def test_a_capital_makes_capitals_matter() -> None:
    assert finds("shadow", "open /etc/SHADOW")
    assert not finds("Shadow", "open /etc/shadow")
    assert finds(r"\Setc\S", "open /ETC/shadow")
    assert parse_search("") is None


@pytest.mark.parametrize(
    ("text", "position"), [("a[z", 1), ("(ab", 0), ("ab*?*", 2), ("a(?=b)", 1), (r"(a)\1", 3), ("x" * 300, MAX_PATTERN)]
)
def test_what_is_no_expression_is_said_with_its_place(text: str, position: int) -> None:
    with pytest.raises(SearchError) as wrong:
        parse_search(text)
    assert wrong.value.position == position


@pytest.mark.parametrize("text", ["(a+)+b$", "(a|a)*b", "(.*)(.*)(.*)(.*)x", "(a?){50}a{50}c"])
def test_no_expression_takes_long(text: str) -> None:
    began = time.process_time()
    assert not finds(text, "a" * 100_000)
    assert time.process_time() - began < 0.5


def test_it_looks_back_and_on_through_all_that_is_known_and_can_be_stopped() -> None:
    paths = [b"/srv/needle" if i in {7, 2500} else b"/srv/%d" % i for i in range(3000)]
    stage = Stage([record("open", 20, 9, b"find", strings=(path,)) for path in paths])
    search, go_on, stopped = parse_search("needle"), threading.Event(), threading.Event()
    assert search
    stopped.set()
    assert find(stage, None, search, 3000, older=True, stop=go_on) == 2500
    assert find(stage, None, search, 2500, older=True, stop=go_on) == 7
    assert find(stage, None, search, 7, older=True, stop=go_on) is None
    assert find(stage, None, search, 7, older=False, stop=go_on) == 2500
    assert find(stage, None, search, 3000, older=True, stop=stopped) is None
