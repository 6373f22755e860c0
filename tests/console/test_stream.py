"""The stream by its keys: cursor, filter, search, jumps, bookmarks, pages, copying, the plain view."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.session import Session, host_facts, read_session
from sentinel_engine.snapshot import Severity
from sentinel_tui.app import SentinelApp
from tests.console.keys import press
from tests.console.stage import ALERTS, Stage, alert, record
from tests.console.test_alerts_pane import text, until
from tests.console.test_console import NARROW, WIDE, Console, console, many

OSC = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")


def cursor(it: Console) -> str:
    """The line under the cursor, as it is on the screen."""
    (line,) = [line for line in it.lines if re.match(r"┃▸..\d\d:", line)]
    return line


async def paste(it: Console, text: str) -> None:
    """What the terminal sends at once."""
    it.app.post_message(events.Paste(text))
    await it.pilot.pause()


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[tuple[SentinelApp, Pilot[None], Pipeline]]:
    """The console over the demo's recording, played to its end."""
    source = RecordedSource(data_dir("rules") / "demo.rec", None, "demo")
    registry = Registry([(data_dir("rules"), True)], clock=source.clock)
    registry.load()
    pipeline = Pipeline(source, registry, Session(tmp_path, "demo", "0", host_facts(source.clock)))
    pipeline.start()
    app = SentinelApp(pipeline)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: pipeline.finished() and bool(app.main.events.rows) and bool(app.main.events.alerted))
        yield app, pilot, pipeline
    pipeline.close()


# Following and moving.


async def test_while_it_follows_there_is_no_cursor_and_the_first_line_up_selects_the_newest() -> None:
    async with console(Stage(many(500))) as it:
        assert "▸" not in "".join(line[:2] for line in it.lines[2:20])
        await it.press("up")
        assert "/srv/000499" in cursor(it)
        assert "stopped ▼ end follows" in it.text
        await it.press("k", "k", "j")
        assert "/srv/000498" in cursor(it)
        await it.press("j", "j")  # past the newest
        assert it.app.main.events.following
        assert "following · UTC" in it.text


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_pill_says_how_many_are_new_and_the_cursor_stays(size: tuple[int, int]) -> None:
    async with console(Stage(many(500)), size) as it:
        await it.press("pageup")
        before = cursor(it)
        it.stage.feed(many(1204, 500))
        await it.look()
        assert "+1,204 new ▼ end follows" in it.text
        assert cursor(it) == before
        await it.press("F")
        assert it.app.main.events.following
        assert "/srv/001703" in it.text


async def test_down_goes_on_through_what_came_meanwhile_without_a_gap() -> None:
    async with console(Stage(many(100))) as it:
        await it.press("up")
        it.stage.feed(many(1000, 100))
        await it.look()
        await it.press("down")
        assert "/srv/000100" in cursor(it)
        assert [row.seq for row in it.app.main.events.rows][-401:] == list(range(99, 500))
        assert "+600 new" in it.text


async def test_the_frozen_time_is_there_on_a_small_screen() -> None:
    async with console(size=NARROW) as it:
        await it.press("p")
        assert re.search(r"‖ PAUSED frozen 00:0\d", it.lines[0])


async def test_a_long_path_never_hides_its_flags_nor_its_error() -> None:
    path = b"/very" * 100
    stage = Stage([record("open", 20, 9, b"cat", args=(0o102, 0, 0), strings=(path,), ret=-2)])
    async with console(stage, NARROW) as it:
        assert re.search(r"/ver\S*…\S*very  ENOENT", it.text)


# Filter.


async def test_tab_goes_on_with_the_filter_and_lists_the_choices() -> None:
    async with console() as it:
        await it.press("f", *"ki", "tab", "tab")
        assert "fork" not in it.lines[-3]
        assert {"exec", "open", "connect"} <= set(it.lines[-2].split())
        await it.press(*"op", "tab", *"path=/e", "tab", *"sh", "tab")
        assert "kind=open path=/etc/shadow" in it.lines[-3]
        await it.press("enter")
        assert it.app.main.events.where is not None
        assert [row.what for row in it.app.main.events.rows] == ["/etc/shadow"]
        await it.press("f", "ctrl+u", *"comm=nob", "tab")
        assert "nothing that was seen goes on like this" in it.text


async def test_the_arrows_bring_earlier_filters_back() -> None:
    async with console() as it:
        for line in ("kind=open", "shadow"):
            await it.press("f", "ctrl+u")
            await paste(it, line)
            await it.press("enter")
        await it.press("f", "ctrl+u")
        await paste(it, "half")
        await it.press("up")
        assert "shadow" in it.lines[-3]
        await it.press("up", "up")
        assert "kind=open" in it.lines[-3]
        await it.press("down", "down")
        assert "half" in it.lines[-3]
        await it.press("up", "enter")
        assert it.app.main.events.where is not None
        assert it.app.main.events.where.text == "shadow"


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_an_error_stands_under_its_place(size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        await it.press("f")
        await paste(it, "kind=open pth=x")
        await it.press("enter")
        typed, said = it.lines[-3:-1]
        assert said.index("^ no event has a field pth") == typed.index("pth")
        await it.press("ctrl+u")
        await paste(it, "shadow " * 9 + '"')
        await it.press("enter")
        typed, said = it.lines[-3:-1]
        assert said.index("^") == typed.index('"')
        assert "a quote is opened and not closed" in said


# Search.


async def test_a_search_goes_back_and_on_through_older_events_than_are_loaded() -> None:
    paths = [b"/srv/Needle%d" % i if i % 1000 == 5 else b"/srv/%d" % i for i in range(4000)]
    stage = Stage([record("open", 20, 9, b"find", strings=(path,)) for path in paths])
    async with console(stage, (200, 60)) as it:
        await it.press("slash", *"needle", "enter")
        assert "Needle3005" in cursor(it)
        assert "n older, N newer" in it.lines[-2]
        await it.press("n", "n", "n")
        assert "Needle5 " in cursor(it)
        await it.press("n")
        assert "no more matches of needle among what is older" in it.lines[-2]
        assert "Needle5 " in cursor(it)
        await it.press("N")
        assert "Needle1005" in cursor(it)
        await it.press("end", "slash", *"NEEDLE", "enter")
        assert "no more matches" in it.lines[-2]
        assert it.app.main.events.where is None


async def test_what_is_found_is_set_off_and_escape_ends_that() -> None:
    def loud(it: Console) -> list[str]:
        strips = it.app.screen._compositor.render_strips()
        pane = [segment for strip in strips[2:20] for segment in strip]
        return [segment.text for segment in pane if segment.style and segment.style.reverse]

    async with console() as it:
        await it.press("slash", *"etc.shad", "enter")
        assert loud(it) == ["etc/shad"]
        await it.press("escape")
        assert loud(it) == []
        await it.press("n")
        assert "nothing is searched for; / begins" in it.lines[-2]


async def test_a_search_that_is_none_is_said_under_its_place() -> None:
    async with console() as it:
        await it.press("slash", *"ab[c", "enter")
        typed, said = it.lines[-3:-1]
        assert said.index("^ missing ]") == typed.index("[c")
        await it.press("escape")
        assert it.app.main.events.search is None


# Jumps, marks and bookmarks.


async def test_a_goes_to_the_events_that_raised_alerts_and_they_have_marks() -> None:
    stage = Stage(alerts=(*ALERTS, alert("log-wiping", Severity.HIGH, 8, "{comm} removed {path}")))
    async with console(stage) as it:
        assert re.search("[┃│] ▲ .*4444", it.text)
        await it.press("a")
        assert "auth.log" in cursor(it)
        await it.press("A")
        assert "4444" in cursor(it)
        await it.press("A")
        assert "/etc/shadow" in cursor(it)
        await it.press("A")
        assert "no older alert" in it.lines[-2]
        await it.press("a", "a", "a")
        assert "no newer alert" in it.lines[-2]


async def test_a_jump_to_what_the_filter_hides_says_so() -> None:
    async with console() as it:
        await it.press("f", *"kind=exec", "enter", "a")
        assert "the filter hides the event of that alert; f changes it" in it.lines[-2]


async def test_a_jump_far_back_loads_what_is_around_it() -> None:
    stage = Stage()
    stage.feed(many(5000))
    async with console(stage) as it:
        await it.press("a", "A")
        assert "/etc/shadow" in cursor(it)
        assert [row.seq for row in it.app.main.events.rows] == list(range(407))


async def test_bookmarks_have_a_star_are_found_again_and_are_in_the_session(
    story: tuple[SentinelApp, Pilot[None], Pipeline],
) -> None:
    app, pilot, pipeline = story
    stream = app.main.events
    await press(pilot, "up", "m")
    newest = stream.at
    assert f"event {newest} bookmarked" in text(app)
    await press(pilot, *["up"] * 5, "m", "up", "m", "m")
    older = sorted(stream.bookmarks)[0]
    assert len(stream.bookmarks) == 2
    assert text(app).count("★") == 2
    await press(pilot, "apostrophe")
    assert stream.at == older
    await press(pilot, "apostrophe")
    assert stream.at == newest
    await press(pilot, "apostrophe")
    assert stream.at == older
    pipeline.close()
    actions = [(one.action, one.target) for one in read_session(Path(pipeline.snapshot().session)).actions]
    marks = [one for one in actions if "bookmark" in one[0]]
    assert marks[:2] == [("bookmark-event", str(newest)), ("bookmark-event", str(older))]
    assert [name for name, _ in marks[2:]] == ["bookmark-event", "unbookmark-event"]


# Into it and back.


async def test_enter_goes_from_the_event_to_its_process_to_its_events_and_backspace_goes_back() -> None:
    async with console() as it:
        await it.press("a", "enter")
        for part in ("Event 6: connect by sh 4214", "→ 10.0.0.5:4444", "AF_INET", "local_port", "EINPROGRESS", "ppid"):
            assert part in it.text
        await it.press("enter")
        assert "Process 4214: sh" in it.text
        assert "auth.log" in it.text
        assert "/etc/shadow" not in it.text
        await it.press("down", "enter")
        assert "Event 7: memfd_create by sh 4214" in it.text
        assert r"\xff\xfepayload" in it.text
        assert base64.b64encode(b"\xff\xfepayload").decode() in it.text
        await it.press("backspace")
        assert "Process 4214: sh" in it.text
        await it.press("t")
        await it.until(lambda: "Process: sh 4214" in it.text and "Who started it, nearest first" in it.text)
        await it.press("backspace", "backspace")
        assert "Event 6" in it.text
        await it.press("backspace")
        assert it.app.screen is it.app.main
        assert "4444" in cursor(it)


# Copying.


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is put on the clipboard, in a terminal without tmux."""
    for name in ("TMUX", "STY", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    found: list[str] = []

    def write(_: object, data: str) -> None:
        found.extend(base64.b64decode(text).decode() for text in OSC.findall(data))

    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver.write", write)
    return found


async def test_c_copies_a_line_and_capital_c_a_field(written: list[str]) -> None:
    async with console() as it:
        await it.press("a", "A", "c")
        assert re.fullmatch(r"[0-9:.]{12} open 4213 cat /etc/shadow  O_RDONLY", written[0])
        assert "if your terminal lets programs set its clipboard" in it.lines[-2]
        await it.press("C")
        assert "Copy what?" in it.text
        await it.press("end", "enter")
        assert written[1] == "/etc/shadow  O_RDONLY"
        await it.press("3", "c", "2", "c", "4", "c")
        assert "reverse-shell" in written[2]
        assert "reverse-shell" in written[3]
        assert "systemd" in written[4]


async def test_every_pane_has_fields_to_choose_from(written: list[str]) -> None:
    async with console() as it:
        for pane, first in (("1", "type"), ("2", "id"), ("3", "id"), ("4", "pid")):
            await it.press(pane, "C")
            assert re.search(rf"▸{first} ", it.text), pane
            await it.press("enter")
        assert written[1:] == ["reverse-shell", ALERTS[1].id, "4214"]


async def test_what_is_copied_is_inert(written: list[str]) -> None:
    async with console(Stage([record("open", 20, 9, b"x", strings=("/\u202e\x1b]52;c;eA==\x07".encode(),))])) as it:
        await it.press("c")
        assert len(written) == 1
        assert r"/\u202e\x1b]52;c;eA==\x07" in written[0]


# The plain view.


async def test_the_plain_view_is_the_pane_alone_and_still() -> None:
    async with console(size=NARROW) as it:
        await it.press("z")
        assert not re.search("[┃│╭━]", it.text)
        assert "z goes back" in it.lines[-1]
        shown = it.lines[:-1]
        it.stage.feed(many(3))
        await it.look()
        assert it.lines[:-1] == shown
        await it.press("z")
        await it.look()
        assert "━ Events" in it.text
        assert "/srv/000002" in it.text
        assert "PAUSED" not in it.lines[0]
        await it.press("p", "z", "escape")
        assert "PAUSED" in it.lines[0]


async def test_the_plain_view_fills_the_room_that_it_has_gained() -> None:
    async with console(Stage(many(500))) as it:
        await it.press("z")
        assert all("/srv/" in line for line in it.lines[:-1])
        assert "/srv/000499" in it.lines[-2]
