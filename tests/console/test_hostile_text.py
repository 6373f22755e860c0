"""Names, paths and arguments that are meant to do something to a terminal: on each screen they only stand there."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest

from sentinel_engine.snapshot import Generation, ProcessEntry, RuleState
from tests.console.stage import ALERTS, RULES, TREE, Stage, record
from tests.console.test_console import NARROW, WIDE, Console, console

HOSTILE = (
    b"\x1b[2J\x1b]0;owned\x07",  # clears the screen, and names the window
    b"\x1b]52;c;ZXZpbA==\x07",  # sets the clipboard
    b"[red]bold[/red] [@click=app.quit]x[/]",  # markup
    "\u202egnp.exe\u2066\u200f".encode(),  # right to left
    "a\u200b\u200d\u00ad\ufeffb\u3164c\u00a0d".encode(),  # not to be seen
    "e\u0301\u0302\u0303\u0304".encode() * 9,  # piled up
    "日本語ｆｕｌｌ🏴‍☠️".encode(),  # wide, joined
    b"\xff\xfe\xc3\x28\x80",  # no UTF-8
    b"line\nbreak\rreturn\ttab\x00nul\x08\x08\x7f\x9b31m",
    b"/" + b"x" * 4095,
)


def hostile_stage() -> Stage:
    """Everything that comes from the host is one of these somewhere."""
    story = [
        record("exec", 20 + n, 4000 + n, raw[:16], strings=(raw, raw + b"\0" + raw, raw, raw))
        for n, raw in enumerate(HOSTILE)
    ]
    story += [record("open", 40 + n, 4000 + n, raw[:16], strings=(raw,)) for n, raw in enumerate(HOSTILE)]
    stage = Stage(story)
    texts = [raw.decode("utf-8", "backslashreplace") for raw in HOSTILE]
    entries = tuple(
        ProcessEntry(100 + n, TREE[0].start_time, text, text, (text, text), 0, text, text, container=text)
        for n, text in enumerate(texts)
    )
    stage.change(
        alerts=tuple(
            msgspec.structs.replace(
                ALERTS[0], id=f"{n}-x", message=text, logs=(text,), process_tree=entries,
                event=ALERTS[0].event | {"comm": text, "path": text},
                triage=msgspec.structs.replace(ALERTS[0].triage, note=text, acknowledged=n % 2 == 0),
            )
            for n, text in enumerate(texts)
        ),
        rules=tuple(
            msgspec.structs.replace(
                RULES[0], id=text[:60], title=text, path=text, reason=text, log_lines=(text,), last_failure=text,
                state=RuleState.ENABLED if n % 2 else RuleState.FAILED, generations=(Generation(1, text, text, text),),
            )
            for n, text in enumerate(texts)
        ),
        notices=(texts[0],), scope=texts[3], warnings=(texts[1],),
    )  # fmt: skip
    return stage


def check(it: Console, width: int) -> None:
    """Nothing moves the cursor, hides or reorders, and every line is as wide as the screen."""
    for strip in it.app.screen._compositor.render_strips():
        assert strip.cell_length == width
        for segment in strip:
            assert segment.control is None
            for char in segment.text:
                assert char == " " or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"}, char
                assert unicodedata.combining(char) == 0
                assert char not in "\u3164\u115f\u2800"
            assert "owned" not in (segment.style.link or "" if segment.style else "")


@pytest.mark.parametrize("size", [NARROW, pytest.param(WIDE, marks=pytest.mark.slow)])
async def test_hostile_text_is_inert_on_every_screen(size: tuple[int, int]) -> None:
    stage = hostile_stage()
    async with console(stage, size) as it:
        check(it, size[0])
        for keys in (
            "1", "2", "3", "4", "l", "5", "1 up enter", "1 up up enter enter", "3 home enter", "3 G home enter", "3 x",
            "3 n", "3 C", "2 home enter", "2 end enter", "2 space", "z",
        ):  # fmt: skip
            await it.press(*keys.split())
            await it.look()
            check(it, size[0])
            await it.press(*["down"] * 3)
            check(it, size[0])
            await it.press("escape", "escape", "escape")
            assert it.app.screen is it.app.main


async def test_what_is_typed_is_shown_inert_too() -> None:
    async with console(hostile_stage()) as it:
        for text in ("[red]x[/]", "\u202eabc", "日本"):
            await it.press("f", "ctrl+u", *text, "enter")
            check(it, WIDE[0])
