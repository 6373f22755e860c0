"""Keys of the user's own, the help and the palette that are made from the list of keys, and the first minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from textual.widgets import Input

from sentinel_engine.pipeline import Pipeline
from sentinel_tui.app import SentinelApp
from sentinel_tui.config import Options
from sentinel_tui.keymap import ACTIONS, KeymapError, with_keys
from sentinel_tui.screens.palette import PaletteScreen
from sentinel_tui.screens.report import help_page
from sentinel_tui.state import ViewState
from tests.console.stage import Stage
from tests.console.test_console import NARROW, WIDE, Console


@asynccontextmanager
async def console(
    keys: dict[str, Any] | None = None, view: ViewState | None = None, size: tuple[int, int] = WIDE
) -> AsyncIterator[Console]:
    stage = Stage()
    options = Options(theme="midnight", keys=keys or {})
    app = SentinelApp(cast(Pipeline, stage), options, view or ViewState(welcomed=True))
    async with app.run_test(size=size) as pilot:
        shown = Console(stage, app, pilot)
        await shown.look()
        yield shown


def test_each_action_has_a_name_of_its_own() -> None:
    twice = [name for name, count in Counter(action.id for action in ACTIONS).items() if count > 1]
    assert not twice, "give these a `called`"
    assert not [action.id for action in ACTIONS if not action.id.replace("-", "").replace(".", "").isalnum()]


def test_the_shipped_keys_are_in_nobodys_way() -> None:
    """Each stays as it is when it is named in a keymap: no conflict, and every key can be written."""
    arrows = str.maketrans({"↑": "up", "↓": "down", "←": "left", "→": "right"})
    for action in ACTIONS:
        if action.key != "escape":  # which stays what it is
            assert with_keys({action.id: action.shown.translate(arrows).split()}) is not None


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"export": "q"}, "export: q is the key of quit already"),
        ({"rule.reload": "e"}, "rule.reload: e is the key of export already"),
        ({"rule.reload": "j"}, "rule.reload: j is the key of pane.down already"),
        ({"rule.reload": "h"}, "rule.reload: h is the key of rule.hunt already"),
        ({"export": "f5", "scope": "f5"}, "f5 is the key of"),
        ({"process-page.program": "v"}, "process-page.program: v is the key of process-page.environment already"),
        ({"process-page.program": "c"}, "process-page.program: c is the key of pane.copy already"),
        ({"export": "ctrl+m"}, "export: ctrl+m has a fixed meaning"),
        ({"export": "ctrl+\x1b"}, r"'ctrl+\x1b' is no key"),
        ({"export": {"a": 1}}, "is no key"),
        ({"expert": "f5"}, "expert: there is no such action; did you mean export?"),
    ],
)
def test_keys_that_cannot_be_are_refused(keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(KeymapError) as caught:
        with_keys(keys)
    assert sentence in str(caught.value)


def test_two_actions_can_swap_their_keys_and_other_panes_do_not_matter() -> None:
    found = {action.id: action.key for action in with_keys({"export": "o", "scope": "e", "rule.hunt": "x"})}
    assert (found["export"], found["scope"], found["rule.hunt"]) == ("o", "e", "x")


async def test_a_key_of_the_users_own_works_and_is_shown_everywhere() -> None:
    async with console({"export": ["f5", "ctrl+e"], "rule.reload": "D", "quit": "f10"}) as it:
        await it.press("f5", "ctrl+e")
        assert it.stage.calls == [("export", None)] * 2
        await it.press("e", "2", "D")
        assert it.stage.calls[2:] == [("reload", "reverse-shell")]
        assert "D reload" in it.lines[-1]
        await it.press("enter", "D")
        assert it.stage.calls[3:] == [("reload", "reverse-shell")]
        await it.press("escape", "question_mark")
        assert "f5 ctrl+e" in it.text
        await it.press("escape", "ctrl+c")
        assert "press f10 to quit" in it.text
        await it.press("f10")
        assert not it.app.is_running


@pytest.mark.parametrize("width", [40, 75, 110])
def test_the_help_begins_where_the_user_is_and_fits(width: int) -> None:
    lines = ["".join(text for text, _ in line) for line in help_page(ACTIONS, "In the alerts")(width)]
    assert lines[0] == "In the alerts"
    assert lines.index("Anywhere") < lines.index("In the rules")
    keys = lines[: lines.index("The filter")]
    assert max(map(len, keys)) <= width
    words = " ".join(" ".join(lines).split())
    for action in ACTIONS:
        assert action.id in words
        assert all(word in words for word in action.help.split())


async def test_the_palette_runs_what_is_found_in_its_pane() -> None:
    async with console() as it:
        await it.press("ctrl+p")
        assert isinstance(it.app.screen, PaletteScreen)
        await it.press(*"rule.next-sort", "enter")
        await it.until(lambda: it.app.main.rules.sort == "state")
        assert it.app.main.pane == "rules"


async def test_the_palette_takes_keys_that_come_at_once_in_their_order() -> None:
    async with console() as it:
        it.burst("ctrl+p", *"losz", "backspace", "s", "enter")
        await it.until(lambda: "Lost, and not collected" in it.text)


async def test_the_palette_lists_the_current_panes_actions_first_and_goes_through_them() -> None:
    async with console() as it:
        await it.press("2", "ctrl+p", "down", "down")
        assert "all about the selected rule" in it.lines[2]
        assert it.lines[4].startswith("┃ ▸r ")
        await it.press("pagedown", "pageup", "up", "up", "up")
        assert it.lines[2].startswith("┃ ▸enter")
        await it.press("escape")
        assert it.app.screen is it.app.main


async def test_the_palette_says_when_nothing_is_called_so_and_goes_on() -> None:
    async with console() as it:
        await it.press("ctrl+p", *"zzzz")
        assert "Nothing is called so" in it.text
        await it.press("enter", "down", "pageup")
        assert isinstance(it.app.screen, PaletteScreen)
        await it.press(*["backspace"] * 4, "enter")
        assert it.app.screen is not it.app.main
        assert "Event 9" in it.text


async def test_the_palette_shows_the_users_keys() -> None:
    async with console({"export": "f5"}) as it:
        await it.press("ctrl+p", *"file export")
        assert it.lines[2].startswith("┃ ▸f5 ")


async def test_the_palette_leaves_a_page_that_is_open() -> None:
    async with console() as it:
        await it.press("2", "enter", "ctrl+p", *"lost loss", "enter")
        await it.until(lambda: "Lost, and not collected" in it.text)
        assert len(it.app.screen_stack) == 2


async def test_the_palette_does_not_offer_what_cannot_be_done_here() -> None:
    async with console() as it:
        for words, offered in (("twice as fast", False), ("kill", False), ("write the session so far as one", True)):
            await it.press("ctrl+p", *words)
            assert (words in "\n".join(it.lines[1:])) == offered
            await it.press("escape")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_first_start_says_what_is_where_once(size: tuple[int, int]) -> None:
    view = ViewState()
    async with console(view=view, size=size) as it:
        assert "Events are what this host does" in it.text
        for part in ("tab ", "enter ", "process tree ", "the case as one file", "? ", "/etc/shadow"):
            assert part in it.text
        assert max(map(len, it.lines)) == size[0]
        await it.press("enter")
        assert "Events are what" not in it.text
        assert it.app.screen is it.app.main
    assert view.welcomed
    async with console(view=view, size=size) as it:
        assert "Events are what" not in it.text


async def test_the_first_page_is_in_nobodys_way() -> None:
    async with console(view=ViewState()) as it:
        await it.press("2")
        await it.until(lambda: it.app.screen is it.app.main and it.app.main.pane == "rules")


async def test_the_view_is_as_it_was_left() -> None:
    view = ViewState(welcomed=True)
    async with console(view=view) as it:
        await it.press("f", *"kind=open", "enter", "slash", *"shadow", "enter")
        await it.press("2", "comma", "3", "G", "v")
    assert (view.filters, view.searches) == (["kind=open"], ["shadow"])
    assert (view.pane, view.sort, view.grouped, view.hides_acknowledged) == ("alerts", "state", False, True)
    async with console(view=view) as it:
        main = it.app.main
        assert (main.pane, main.rules.sort, main.alerts.grouped, main.alerts.hides_acknowledged) == (
            "alerts", "state", False, True,
        )  # fmt: skip
        assert it.app.focused is main.alerts
        await it.press("f", "up")
        assert it.app.query_one(Input).value == "kind=open"


async def test_a_view_of_another_version_does_no_harm() -> None:
    async with console(view=ViewState(welcomed=True, pane="gone", sort="gone", theme="gone")) as it:
        assert (it.app.main.pane, it.app.main.rules.sort, it.app.theme) == ("events", "rule", "midnight")


async def test_the_palette_without_room_for_its_list_takes_a_page_key() -> None:
    async with console(size=(20, 2)) as it:
        await it.press("ctrl+p")
        await it.press("pagedown", "pageup", "escape")
        assert it.app.screen is it.app.main


async def test_sentences_and_hints_name_the_users_keys() -> None:
    keys = {"filter": "f5", "pane.last": "f6", "rule.hunt": "f7", "plain": "f8", "alert.filter-alerts": "f9"}
    async with console(keys) as it:
        await it.press("up")
        assert "stopped ▼ f6 follows" in it.text
        await it.press("f5", *"comm=nobody", "enter")
        assert "No event matches the filter. f5 changes it" in it.text
        await it.press("f8")
        assert "f8 goes back" in it.lines[-1]
        await it.press("f8", "2", "r")
        await it.until(lambda: "; f7 runs it over the past" in it.text)
        await it.press("3", "f9", *"comm=nobody", "enter")
        assert "f9 changes the filter" in it.text


async def test_the_keys_of_pages_are_the_users_too() -> None:
    keys = {"process-page.program": "e", "event-page.open-process": "f6", "process-events.open-tree": "f7"}
    async with console(keys) as it:
        await it.press("a", "enter")
        assert "f6 its process" in it.lines[-1]
        await it.press("f6")
        assert "f7 its tree" in it.lines[-1]
        await it.press("f7")
        await it.until(lambda: "Process: " in it.text)
        assert "e SHA-256" in it.lines[-1]
        await it.press("e")
        assert "this is a recording" in it.lines[-1]
