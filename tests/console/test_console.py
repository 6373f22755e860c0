"""The console, driven by keys and the mouse and read as a user reads it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
from textual import events
from textual.pilot import Pilot

from sentinel_engine.collector.playback import Playback
from sentinel_engine.collector.scope import parse_scope
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.records import Record
from sentinel_engine.schema import ALL_KINDS, mask_of
from sentinel_engine.snapshot import Difference, HuntView, Latency, RuleState, Severity, ShadowView, SourceView
from sentinel_tui.app import SentinelApp
from sentinel_tui.keymap import ACTIONS
from tests.console.keys import key_event, press
from tests.console.stage import ALERTS, RULES, STORY, Stage, alert, record, rule

WIDE, NARROW = (120, 40), (80, 24)


class Console:
    """The running app, its stage, and what is on its screen."""

    def __init__(self, stage: Stage, app: SentinelApp, pilot: Pilot[None]) -> None:
        self.stage, self.app, self.pilot = stage, app, pilot

    @property
    def lines(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def press(self, *keys: str) -> None:
        await press(self.pilot, *keys)

    def burst(self, *keys: str) -> None:
        """Keys that come in one piece, as on a slow link."""
        for key in keys:
            self.app.post_message(key_event(key))

    async def look(self) -> None:
        """Let the panes take the newest snapshot now."""
        self.app.main._polls = 0
        self.app.main.events._rest_until = 0.0
        await self.app.main.poll()
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await self.pilot.pause(0.02)


@asynccontextmanager
async def console(stage: Stage | None = None, size: tuple[int, int] = WIDE) -> AsyncIterator[Console]:
    stage = stage or Stage()
    app = SentinelApp(cast(Pipeline, stage))
    async with app.run_test(size=size) as pilot:
        shown = Console(stage, app, pilot)
        await shown.look()
        yield shown


def many(count: int, start: int = 0) -> list[bytes]:
    """Opens that can be told apart."""
    return [
        record("open", 20 + i / 1000, 99, b"find", strings=(b"/srv/%06d" % i,)) for i in range(start, start + count)
    ]


async def test_first_screen_shows_everything() -> None:
    async with console() as it:
        header = it.lines[0]
        for part in (
            "▶ REPLAY 10:22:31 42%",
            "12.4k ev/s",
            "lost 0",
            "2 on 1 off 2 bad",
            "▲ 1 critical ▲ 3 high",
            "cpu 6% 92M",
        ):
            assert part in header
        for part in (
            "/etc/shadow",
            "curl -s 10.0.0.5/x.sh",
            "18ns  41ns",
            "quarantined: retry in 40 s",
            "└ sshd 611",
            "◀ alert",
        ):
            assert part in it.text


async def test_host_text_is_inert_and_columns_stay_aligned() -> None:
    async with console(size=(200, 60)) as it:
        assert r"/opt/日本語/\u202etxt.exe[bold]" in it.text
        assert r"\xff\xfepayload" in it.text
        widths = {strip.cell_length for strip in it.app.screen._compositor.render_strips()}
        assert widths == {200}


@pytest.mark.parametrize("size", [(40, 10), NARROW, (99, 29), WIDE, (200, 60)])
async def test_no_size_cuts_a_figure_of_the_header(size: tuple[int, int]) -> None:
    stage = Stage()
    stage.change(lost={"kernel": {"open": 1_234_567}}, events_per_second=(123_456,), cpu_percent=100.0)
    async with console(stage, size) as it:
        words = it.lines[0].split()
        assert "▶ REPLAY 10:22:31 42%" in it.lines[0]
        if size[0] >= 80:
            assert "LOST 1,234,567" in it.lines[0]
            assert "123k ev/s" in it.lines[0]
            assert "bad" in words
            assert it.lines[0].rstrip() != it.lines[0] or len(it.lines[0].rstrip()) == size[0]


async def test_narrow_screen_shows_one_pane_at_a_time() -> None:
    async with console(size=NARROW) as it:
        assert "1 Events" in it.lines[1]
        assert "/etc/shadow  O_RDONLY" in it.text
        assert "─ Rules" not in it.text
        await it.press("2")
        assert "━ Rules" in it.text
        assert "━ Events" not in it.text
        await it.press("tab")
        assert "━ Alerts" in it.text
        await it.press("tab", "tab")
        assert "━ Events" in it.text
        await it.press("shift+tab")
        assert "━ Process tree" in it.text
        await it.pilot.click(it.app.main.tabs, offset=(15, 0))
        await it.pilot.pause()
        assert "━ Rules" in it.text


async def test_space_switches_the_selected_rule_off_and_on() -> None:
    async with console() as it:
        await it.press("2", "down", "space")
        assert "Switch sensitive-file-read off?" in it.text
        await it.press("enter")  # comes too easily to be a yes
        assert it.stage.calls == []
        assert "nothing was done" in it.lines[-2]
        await it.press("space", "y")
        await it.look()
        assert it.stage.calls == [("set_enabled", "sensitive-file-read", False)]
        assert "1 on 2 off 2 bad" in it.lines[0]
        assert "○ sensitive-file-read" in it.text
        assert "set_enabled done" in it.lines[-2]
        await it.press("space")
        await it.look()
        assert it.stage.calls[-1] == ("set_enabled", "sensitive-file-read", True)
        assert "● sensitive-file-read" in it.text


async def test_reload_export_and_a_refusal_say_their_sentence() -> None:
    async with console() as it:
        await it.press("2", "end", "r", "R", "e")
        assert it.stage.calls == [("reload", "broken"), ("reload_all",), ("export", None)]
        assert "export done" in it.lines[-2]
        it.stage.refusal = RuntimeError("the module is not WebAssembly; \x1b[31mrebuild it")
        await it.press("r")
        assert r"✗ the module is not WebAssembly; \x1b[31mrebuild it" in it.lines[-2]


async def test_back_shadow_and_promotion_are_one_key_each() -> None:
    only = Difference("2026-11-23T10:22:31.104000000Z", "shadow", "cat opened /etc/gshadow")
    shadow = ShadowView("cd" * 32, "1.1", 90, 7, 1, 3, Latency(20, 40, 90, 21.0), "", (only,))
    async with console() as it:
        await it.press("2", "down", "b", "s")
        first, second, *others = RULES
        it.stage.change(rules=(first, msgspec.structs.replace(second, shadow=shadow), *others))
        await it.look()
        assert "shadow +3 −1" in it.text
        await it.press("s", "m")
        called = ["roll_back", "start_shadow", "drop_shadow", "promote"]
        assert it.stage.calls == [(name, "sensitive-file-read") for name in called]
        await it.press("enter")
        for part in ("alike 7  of 90 calls", "10:22:31.104  cat opened /etc/gshadow", "cd" * 32):
            assert part in it.text


async def test_a_hunt_shows_how_far_it_is_and_the_same_key_stops_it() -> None:
    async with console() as it:
        await it.press("2", "h")
        assert it.stage.calls == [("hunt", "reverse-shell")]
        it.stage.change(hunt=HuntView("reverse-shell", 0.43, 120_000, 3, running=True))
        await it.look()
        assert "reverse-shell over the past █████████░░░░░░░░░░░ 43%: 3 matches in 120,000 events" in it.lines[-2]
        await it.press("h")
        assert it.stage.calls[-1] == ("cancel",)


async def test_a_replay_is_played_by_keys_and_what_is_live_is_not() -> None:
    stage = Stage()
    stage.playback = Playback(1.0)
    async with console(stage) as it:
        assert "P play/stop  > faster  < slower" in it.lines[-1]
        await it.press("P")
        stage.change(source=SourceView("demo", live=False, playing=stage.playback.playing))
        await it.look()
        assert "■ STOPPED" in it.lines[0]
        await it.press("P", "greater_than_sign", "greater_than_sign")
        stage.change(source=SourceView("demo", live=False, speed=stage.playback.speed or 0))
        await it.look()
        assert "▶ REPLAY ×4" in it.lines[0]
        assert "playing 4 times as fast as it happened" in it.lines[-2]
        await it.press("<")
        assert "playing 2 times as fast as it happened" in it.lines[-2]
        for key, said in (("full_stop", "one step"), ("right_curly_bracket", "next alert")):
            await it.press(key)
            assert said in it.lines[-2]
    async with console() as it:
        await it.press("P")
        assert "this is live" in it.lines[-2]


async def test_a_rules_page_has_its_costs_and_what_it_did_wrong() -> None:
    view = rule(
        "mine", Severity.LOW, compile_ns=4_200_000, instantiate_ns=310_000, traps=3, dropped_logs=9, logs=5,
        traps_by_kind={"out of bounds": 2, "\x1b[2Junreachable": 1}, previous_sha256="ab" * 32, generation=4,
    )  # fmt: skip
    latency = Latency(18, 41, 900, 20.5, ((17, 900), (19, 100), (40, 50), (900, 1)))
    stage = Stage()
    stage.change(rules=(msgspec.structs.replace(view, latency_ns=latency),))
    async with console(stage) as it:
        await it.press("2", "enter")
        for part in (
            "4.2ms to compile, 310µs to start", "out of bounds ×2", r"\x1b[2Junreachable ×1", "5 kept  9 dropped",
            "generation 4  (rolling back: to abababababab)", "under 32ns", "1,000", "under 64ns", "under 1.0µs",
        ):  # fmt: skip
            assert part in it.text, part


async def test_a_notice_and_a_broken_source_are_said() -> None:
    async with console() as it:
        it.stage.change(notices=("rule my-rule.wat is quarantined",))
        await it.look()
        assert "rule my-rule.wat is quarantined" in it.lines[-2]
        it.stage.change(source=SourceView("live", live=True, problem="the event source stopped: EIO"))
        await it.look()
        assert "✗ BROKEN" in it.lines[0]
        assert "✗ the event source stopped: EIO" in it.lines[-2]


async def test_filter_shows_what_matches_and_an_empty_one_everything() -> None:
    async with console() as it:
        await it.press("f", *"kind=open", "enter")
        assert it.app.main.events.where is not None
        assert "filter: kind=open" in it.lines[1]
        assert "/etc/shadow" in it.text
        assert "curl -s" not in it.text
        await it.press("f", "home", "ctrl+k", "enter")
        assert it.app.main.events.where is None
        assert "curl -s" in it.text


async def test_filter_error_is_said_and_escape_keeps_the_old_filter() -> None:
    async with console() as it:
        await it.press("f", *"shadow", "enter")
        await it.press("f", *" pth=x", "enter")
        assert "no event has a field pth; near: path" in it.text
        await it.press("escape")
        assert it.app.main.events.where is not None
        assert it.app.main.events.where.text == "shadow"
        assert it.app.focused is it.app.main.events


async def test_markup_in_a_filter_is_text() -> None:
    async with console() as it:
        await it.press("f", *"[red]", "enter")
        assert "filter: [red]" in it.lines[1]
        assert "No event matches the filter." in it.text


async def test_keys_that_come_at_once_go_where_they_belong() -> None:
    async with console(size=NARROW) as it:
        it.burst("3", "1", "f", *"kind", "equals_sign", *"exec", "enter")
        await it.until(lambda: it.app.main.events.where is not None and it.app.focused is it.app.main.events)
        assert it.app.main.events.where is not None
        assert it.app.main.events.where.text == "kind=exec"
        it.burst("2", "down", "down", "3", "down", "2", "up")
        await it.until(lambda: it.app.main.alerts.cursor == 1 and it.app.main.rules.cursor == 1)
        it.burst("space", "y", "r")
        await it.until(lambda: len(it.stage.calls) == 2)
        assert it.stage.calls == [("set_enabled", "sensitive-file-read", False), ("reload", "sensitive-file-read")]


async def test_a_line_takes_a_burst_of_keys_in_their_order() -> None:
    """Textual does what backspace is bound to after it has inserted all characters that came with it."""
    async with console() as it:
        await it.press("3", "i", *"rule=mine", "enter")
        it.burst("i", *["backspace"] * 4, *"brxken", "left", *["left"] * 2, "backspace", "o", "end", "x", "enter")
        await it.until(lambda: getattr(it.app.main.alerts.where, "text", "") == "rule=brokenx")


async def test_a_key_after_the_one_that_closes_a_page_is_for_what_is_below() -> None:
    async with console() as it:
        for _ in range(5):
            it.burst("question_mark", "q", "e", "l", "escape", "2")
            await it.until(lambda: it.app.focused is it.app.main.rules and it.app.screen is it.app.main)
            await it.press("1")
        assert it.stage.calls == [("export", None)] * 5


async def test_keys_are_text_while_a_filter_is_typed() -> None:
    async with console() as it:
        await it.press("f", *"quit re p1")
        assert it.stage.calls == []
        assert "quit re p1" in it.text


async def test_scrolling_up_stops_following_and_end_follows_again() -> None:
    async with console(Stage(many(5000))) as it:
        assert "/srv/004999" in it.text
        await it.press("1", "pageup")
        first = it.app.main.events.rows[it.app.main.events.scroll_offset.y].what
        it.stage.feed(many(1204, 5000))
        await it.look()
        assert it.app.main.events.rows[it.app.main.events.scroll_offset.y].what == first
        assert "+1,204 new ▼ end follows" in it.text
        assert "/srv/006203" not in it.text
        await it.press("end")
        assert "/srv/006203" in it.text
        assert "following" in it.text


async def test_scrolling_loads_older_events_back_to_the_first() -> None:
    async with console(Stage(many(1000))) as it:
        events = it.app.main.events
        seen = 0
        await it.press("1", "home")
        while len(events.rows) != seen:
            seen = len(events.rows)
            await it.press("home")
        assert [row.seq for row in events.rows] == list(range(1000))
        assert "/srv/000000" in it.text
        assert not events.following
        await it.press("F")
        assert "/srv/000999" in it.text


async def test_new_events_that_match_are_counted_while_scrolled_up() -> None:
    async with console(Stage(many(500))) as it:
        await it.press("f", *"path!=/srv/000507", "enter")
        await it.press("up")
        it.stage.feed(many(10, 500))
        await it.look()
        assert "+9 new" in it.text


async def test_a_filter_never_searches_the_same_events_twice() -> None:
    async with console(Stage(many(500))) as it:
        await it.press("f", *"comm=nobody", "enter")
        looked: list[int] = []
        tail = it.stage.history.tail

        def counting(view: Callable[[Record], dict[str, Any]], *rest: Any) -> list[dict[str, Any]]:
            return tail(lambda record: looked.append(record.seq) or view(record), *rest)  # type: ignore[func-returns-value]

        it.stage.history.tail = counting  # type: ignore[method-assign,assignment]
        it.stage.feed(many(3, 500))
        await it.look()
        assert looked
        assert min(looked) >= 500
        assert "No event matches the filter." in it.text


async def test_what_the_filter_leaves_out_is_not_asked_for() -> None:
    async with console() as it:
        await it.press("f", *"kind=exec", "enter")
        assert it.stage.shown == mask_of(["exec"])
        it.stage.change(off=("unlink", "rename"))
        await it.look()
        assert "filter: kind=exec ─ 2 kinds off" in it.text
        await it.press("f", "ctrl+u", "enter")
        assert it.stage.shown == ALL_KINDS


async def test_the_scope_is_typed_shown_and_checked() -> None:
    async with console() as it:
        await it.press("o", *"--ignore uid=0", "enter")
        assert it.stage.calls == [("set_scope", parse_scope([], ["uid=0"]))]
        assert "set_scope done" in it.text
        await it.look()
        assert "Events ─ --ignore uid=0" in it.text
        await it.press("o", *" uid=1", "enter")
        assert "✗ uid=1 is neither --only FIELD=VALUE nor --ignore FIELD=VALUE" in it.text
        await it.press("escape", "o", "ctrl+u", "enter")
        assert it.stage.calls[-1] == ("set_scope", parse_scope([], []))
        assert len(it.stage.calls) == 2


async def test_what_is_not_collected_is_one_key_away() -> None:
    stage = Stage()
    stage.change(off=("unlink",), suppressed={"open": 1204}, filtered={"open": 7}, scope="--only uid=1000")
    async with console(stage) as it:
        assert "suppressed 1204" in it.text
        await it.press("l")
        for words in ("--only uid=1000", "unlink", "open 1,204", "open 7"):
            assert words in it.text


async def test_leaving_the_filter_by_shift_tab_closes_it() -> None:
    async with console() as it:
        await it.press("f", "shift+tab")
        assert not it.app.main.line_bar.display
        assert it.app.focused is it.app.main.processes


async def test_two_files_that_claim_one_id_are_two_rows() -> None:
    stage = Stage()
    twins = [msgspec.structs.replace(stage.view.rules[4], path=f"/rules/{name}") for name in "ab"]
    stage.change(rules=tuple(twins))
    async with console(stage) as it:
        await it.press("2", "down", "enter")
        assert "/rules/b" in it.text


async def test_wheel_scrolls_the_stream() -> None:
    async with console(Stage(many(500))) as it:
        pane = it.app.main.events
        pane.post_message(events.MouseScrollUp(pane, 5, 5, 0, 1, 0, False, False, False))
        await it.until(lambda: not pane.following)
        await it.until(lambda: pane.rows[pane.scroll_offset.y].seq < 500 - pane.page)


async def test_pause_freezes_the_view_and_not_the_collection() -> None:
    async with console() as it:
        await it.press("p")
        it.stage.feed(many(3))
        it.stage.change(alerts=(*ALERTS, alert("log-wiping", Severity.HIGH, 8, "{comm} removed {path}")))
        await it.look()
        assert "‖ PAUSED frozen 00:0" in it.lines[0]
        assert "/srv/" not in it.text
        assert "log-wiping" not in it.text
        await it.press("1", "end")
        assert "/srv/" not in it.text
        await it.press("p")
        await it.look()
        assert "/srv/000002" in it.text
        assert "log-wiping" in it.text


async def test_the_selected_alert_stays_selected_while_others_come() -> None:
    async with console() as it:
        await it.press("3", "down")
        assert it.app.main.alerts.alert is not None
        assert it.app.main.alerts.alert.rule.id == "sensitive-file-read"
        newer = tuple(alert(f"rule-{i}", Severity.LOW, 8, "{comm} removed {path}") for i in range(40))
        it.stage.change(alerts=(*ALERTS, *newer))
        await it.look()
        assert it.app.main.alerts.alert.rule.id == "sensitive-file-read"
        assert "▸▲ high" in it.text
        assert "bash ◀ alert 4102 uid 1000 pts/0" in it.text
        await it.press("home")
        assert it.app.main.alerts.alert.rule.id == "rule-39"


async def test_enter_shows_the_alert_whole_and_escape_closes_it() -> None:
    async with console() as it:
        await it.press("3", "enter")
        for part in ("Alert: reverse-shell", "stdin is a socket", "T1059.004", "What the process did around it"):
            assert part in it.text
        await it.press("end")
        for part in ("local_port", "40000"):
            assert part in it.text
        await it.press("escape")
        assert "Rules" in it.text


async def test_enter_on_a_rule_says_why_it_does_not_run() -> None:
    async with console() as it:
        await it.press("2", "down", "down", "down", "enter")
        assert "quarantined: deadline exceeded 5 times" in it.text


async def test_help_lists_every_action() -> None:
    async with console(size=(120, 120)) as it:
        await it.press("question_mark")
        for action in ACTIONS:
            assert action.help in it.text
        await it.press("q")
        assert it.app.is_running
        assert it.app.screen is it.app.main


async def test_theme_changes_live() -> None:
    async with console() as it:
        before = it.app.main.events.rich_style.bgcolor
        await it.press("t")
        assert it.app.theme == "daylight"
        assert it.app.main.events.rich_style.bgcolor != before
        for _ in it.app._themes[1:]:
            await it.press("t")
        assert it.app.theme == "midnight"


async def test_a_click_selects_and_a_click_on_a_key_acts() -> None:
    async with console() as it:
        await it.pilot.click(it.app.main.rules, offset=(6, 4))
        assert it.app.main.rules.selected is not None
        assert it.app.main.rules.selected.id == "hidden-file"
        assert it.app.focused is it.app.main.rules
        column = it.lines[-1].index("pause")
        await it.pilot.click(it.app.main.keys, offset=(column, 0))
        await it.pilot.pause()
        assert "PAUSED" in it.lines[0]


async def test_empty_states_say_what_to_expect() -> None:
    stage = Stage([], alerts=())
    stage.change(rules=(), severities={})
    async with console(stage) as it:
        for part in ("No events yet.", "No alerts yet.", "No rules are loaded", "Select an alert", "no alerts"):
            assert part in it.text


async def test_rows_that_leave_are_gone_from_the_screen() -> None:
    async with console() as it:
        await it.press("2", "end")
        it.stage.change(rules=it.stage.view.rules[:1], alerts=())
        await it.look()
        assert "my-rule.wat" not in it.text
        assert "No alerts yet." in it.text
        assert "└ sshd" not in it.text
        assert it.app.main.rules.selected is not None
        assert it.app.main.rules.selected.id == "reverse-shell"


async def test_nothing_is_drawn_while_nothing_happens() -> None:
    async with console() as it:
        drawn = 0
        events = it.app.main.events
        render = events.render_line

        def counting(y: int) -> object:
            nonlocal drawn
            drawn += 1
            return render(y)

        events.render_line = counting  # type: ignore[method-assign,assignment]
        await it.look()
        await it.look()
        assert drawn == 0
        it.stage.feed(many(1))
        await it.look()
        assert drawn > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_app_in_order(number: signal.Signals) -> None:
    async with console() as it:
        os.kill(os.getpid(), number)
        await it.until(lambda: not it.app.is_running)
        assert it.app.return_code == 0


def test_states_have_a_word_or_a_mark_beside_their_colour() -> None:
    from sentinel_tui.widgets.paint import SEVERITY_MARKS  # noqa: PLC0415 - beside its only use
    from sentinel_tui.widgets.rules import STATES  # noqa: PLC0415 - beside its only use

    assert STATES.keys() == set(RuleState)
    assert SEVERITY_MARKS.keys() == set(Severity)
    assert len(STORY) == 10
