"""The rules pane and a rule's page: sorting, trends, what the page shows and does."""

from __future__ import annotations

import msgspec
import pytest

from sentinel_engine.snapshot import Generation, Latency, RuleState, RuleView, Severity
from sentinel_tui.widgets.trends import SAMPLE_SECONDS, Trends
from tests.console.stage import RULES, Stage, rule
from tests.console.test_console import WIDE, Console, console


def ids(it: Console) -> list[str]:
    return [row.id for row in it.app.main.rules.rows]


async def test_the_sort_key_goes_through_the_columns_and_the_selection_stays() -> None:
    async with console() as it:
        found = ids(it)
        await it.press("2", "down")
        selected = it.app.main.rules.selected
        assert selected is not None
        seen = {}
        for _ in range(9):
            await it.press("comma")
            seen[it.app.main.rules.sort] = ids(it)
            assert it.app.main.rules.selected == selected
        assert seen["rule"] == found
        by_calls = sorted(it.stage.view.rules, key=lambda view: -view.calls)
        assert seen["calls"] == [view.id for view in by_calls]
        assert seen["state"][0] in {view.id for view in RULES if view.state is RuleState.FAILED}


async def test_a_click_on_a_heading_sorts_by_it_and_it_is_marked() -> None:
    async with console() as it:
        heading = next(line for line in it.lines if "calls" in line)
        column = heading.index("p99") - it.app.main.rules.region.x
        await it.pilot.click(it.app.main.rules, offset=(column, 1))
        await it.pilot.pause()
        assert it.app.main.rules.sort == "p99"
        assert "▾p99" in it.text


def test_a_trend_is_of_what_was_new_since_the_last_sample() -> None:
    trends = Trends()
    one = RuleView("a", RuleState.ENABLED, calls=100, latency_ns=Latency(mean=50.0))
    trends.note([one], 0.0)
    trends.note([one], SAMPLE_SECONDS / 2)  # too early
    trends.note([msgspec.structs.replace(one, calls=200, latency_ns=Latency(mean=100.0))], SAMPLE_SECONDS)
    trends.note([msgspec.structs.replace(one, calls=10, latency_ns=Latency(mean=7.0))], 2 * SAMPLE_SECONDS)
    assert [sample.mean_ns for sample in trends.of("a")] == [50, 150, 0]
    trends.note([], 3 * SAMPLE_SECONDS)
    assert trends.of("a") == ()


async def test_a_rules_page_lives_and_its_keys_are_for_that_rule() -> None:
    async with console() as it:
        await it.press("2", "enter")
        first = it.stage.view.rules[0]
        assert f"Rule: {first.id}" in it.text
        changed = msgspec.structs.replace(
            first, log_lines=("it logged\x1b[31m this",), last_failure="event 7: out of bounds",
            generations=(Generation(3, "ab" * 32, "1.2", "2026-11-23T10:00:00.000000000Z"),),
        )  # fmt: skip
        it.stage.change(rules=(changed, *it.stage.view.rules[1:]))
        await it.until(lambda: "it logged" in it.text)
        for part in (r"it logged\x1b[31m this", "event 7: out of bounds", "3  11-23 10:00:00", "Its newest alerts"):
            assert part in it.text
        await it.press("r")
        assert it.stage.calls == [("reload", first.id)]
        assert "reload done; h runs it over the past" in it.lines[-1]
        await it.press("space", "y")
        assert it.stage.calls[-1] == ("set_enabled", first.id, False)
        await it.press("backspace")
        assert it.app.screen is it.app.main


async def test_what_comes_with_the_package_is_not_edited_and_a_replay_edits_nothing() -> None:
    async with console() as it:
        await it.press("2", "E")
        assert "changes nothing on the host" in it.lines[-2]


@pytest.mark.parametrize("size", [(80, 24), WIDE])
async def test_what_the_operator_switched_off_stays_in_the_header(size: tuple[int, int]) -> None:
    stage = Stage()
    stage.change(rules=tuple(rule(name, Severity.LOW, RuleState.DISABLED) for name in "ab"))
    async with console(stage, size=size) as it:
        assert "2 off" in it.lines[0]
