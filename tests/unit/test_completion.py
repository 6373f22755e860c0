"""What Tab goes on with in a filter."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_engine.match.completion import complete
from sentinel_engine.match.plain import parse

EVENTS: list[dict[str, Any]] = [
    {"kind": "open", "uid": 1000, "comm": "cat", "path": "/etc/shadow"},
    {"kind": "open", "uid": 1000, "comm": "cargo", "path": "/etc/passwd"},
    {"kind": "open", "uid": 1001, "comm": "Web Content", "path": "/home/a/x", "argv": ["cat", "/etc/shadow"]},
    {"kind": "open", "uid": 0, "comm": 'q"uote', "path": "/\u202etxt"},
]


@pytest.mark.parametrize(
    ("typed", "text", "choices"),
    [
        ("co", "co", ("comm=", "container=", "container_id=")),
        ("lis", "lis", ()),
        ("memf", "memf", ()),
        ("log", "loginuid=", ("loginuid=",)),
        ("kind=memf", "kind=memfd_create ", ("memfd_create",)),
        ("kind=open uid=10", "kind=open uid=100", ("1000", "1001")),
        ("comm!=ca", "comm!=ca", ("cargo", "cat")),
        ("comm=car", "comm=cargo ", ("cargo",)),
        ("comm=W", 'comm="Web Content" ', ("Web Content",)),
        ('comm="W', 'comm="Web Content" ', ("Web Content",)),
        ("path=", "path=/", ("/",)),
        ("path=/e", "path=/etc/", ("/etc/",)),
        ("path=/etc/s", "path=/etc/shadow ", ("/etc/shadow",)),
        ("argv=/", "argv=/etc/shadow ", ("/etc/shadow",)),
        ("nothing=", "nothing=", ()),
    ],
)
def test_it_goes_on_as_far_as_the_choices_agree(typed: str, text: str, choices: tuple[str, ...]) -> None:
    done = complete(typed, EVENTS)
    assert done.text == text
    assert set(choices) <= set(done.choices)
    assert bool(choices) == bool(done.choices)


def test_what_is_completed_is_a_filter_that_finds_it() -> None:
    for typed in ("comm=W", "path=/etc/s", "kind=ope"):
        where = parse(complete(typed, EVENTS).text)
        assert any(where.accepts(event) for event in EVENTS)


def test_a_value_that_cannot_be_typed_is_not_offered() -> None:
    assert complete("path=/\u202e", EVENTS).choices == ()
    assert complete("comm=q", EVENTS).choices == ()
