"""The stream filter: what matches, what the history may skip, and what it says when it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_engine.describe import event_dict
from sentinel_engine.match.plain import MAX_FILTER, Filter, FilterError, parse
from sentinel_engine.processes import Image
from sentinel_engine.records import Clock, decode, encode
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME

CLOCK = Clock(1_000)
SHADOW = encode(KIND_BY_NAME["open"], comm=b"cat", tgid=42, strings=(b"/etc/shadow",))
SHELL = Image(0, b"bash", b"/usr/bin/bash", (b"bash", b"-c", b"id; sleep 1"), b"/root", b"pts/0")


def accepts(text: str, record: bytes, image: Image | None = None) -> bool:
    return parse(text).accepts(event_dict(decode(record), CLOCK, image))


@pytest.mark.parametrize(
    "text",
    [
        "", "  ", "shadow", "SHADOW", "cat shadow", "kind=open", "kind = open", "pid=42 comm=cat", "open",
        "path=/etc/shadow", "kind!=exec", "new_path!=/x", '"etc/sha"', 'path="/etc/shadow"', "flags=O_RDONLY",
        "pid>41", "pid>=42 pid<=42", "pid<0x2b", "ret>=0", "path~=ETC/sh", "kind~=op", "time>=00:00 time<24:00",
    ],
)  # fmt: skip
def test_matches(text: str) -> None:
    assert accepts(text, SHADOW)


@pytest.mark.parametrize(
    "text",
    [
        "passwd", "pid=4", "path=shadow", "kind=exec", "kind!=open", "cat dog", "ope", "addr=x", "pid>42",
        "path~=passwd", "flags>1", "new_path~=x", "time<00:00",
    ],
)  # fmt: skip
def test_does_not_match(text: str) -> None:
    assert not accepts(text, SHADOW)


def test_a_word_finds_the_program_from_the_process_table() -> None:
    assert accepts("usr/bin/bash", SHADOW, SHELL)
    assert accepts('argv="id; sleep 1"', SHADOW, SHELL)
    assert not accepts("argv=sleep", SHADOW, SHELL)


@pytest.mark.parametrize(
    ("text", "sentence", "position"),
    [
        ("pth=/etc", "no event has a field pth; near: path", 0),
        ("cat kind=opne", "there is no kind opne; near: open", 4),
        ("comm>cat", "> compares numbers, times and severities; cat is none", 0),
        ("cat time>=noon", "noon is no time; write 10:22", 4),
        ("pid>=", "a value is missing after pid>=", 5),
        ("pid=", "a value is missing after pid=", 4),
        ('cat "open', "a quote is opened and not closed", 4),
        ("x" * (MAX_FILTER + 1), "a filter has at most 1024 characters", MAX_FILTER),
    ],
)
def test_errors_are_sentences(text: str, sentence: str, position: int) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert str(caught.value).startswith(sentence)
    assert caught.value.position == position


def test_mask_holds_the_kinds_that_can_match() -> None:
    assert parse("shadow").mask == ALL_KINDS
    assert parse("kind=open pid=3").mask == KIND_BY_NAME["open"].bit
    assert parse("put_old=/x").mask == KIND_BY_NAME["pivot_root"].bit
    assert parse("kind=open kind=exec").mask == 0


@pytest.mark.parametrize(
    "text", ["shadow", "pid=42", "exe=/bin/sh", "argv=id", "addr=10.0.0.5", r"path=/tmp/\xff", "path!=/x"]
)
def test_no_needle_when_the_bytes_may_differ(text: str) -> None:
    assert parse(text).needle is None


names = st.binary(max_size=24).filter(lambda raw: b"\0" not in raw)


@given(path=names, comm=st.binary(max_size=15).filter(lambda raw: b"\0" not in raw))
def test_a_record_that_matches_contains_the_needle(path: bytes, comm: bytes) -> None:
    record = encode(KIND_BY_NAME["open"], comm=comm, strings=(path,))
    event = event_dict(decode(record), CLOCK)
    for field in ("path", "comm"):
        if event[field] and '"' not in event[field]:
            where: Filter = parse(f'{field}="{event[field]}"')
            assert where.accepts(event)
            assert where.needle is None or where.needle in record
