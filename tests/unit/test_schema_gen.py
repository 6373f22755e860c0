"""The generated files say what schema.py says."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from sentinel_engine.collector.syscalls import CALLS, TABLE_SIZE, table
from sentinel_engine.schema import CALL_NAMES, HEADER, HEADER_SIZE, KIND_BY_NAME
from sentinel_engine.schema_gen import generated

SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "s64": 8, "char": 1}


@pytest.mark.parametrize(("path", "text"), generated().items(), ids=lambda value: getattr(value, "name", ""))
def test_generated_files_are_up_to_date(path: Path, text: str) -> None:
    assert path.read_text() == text, "run `make schema`"


def test_the_header_has_no_holes_and_natural_alignment() -> None:
    at = 0
    for field in HEADER:
        base, _, count = field.ctype.rstrip("]").partition("[")
        assert field.offset == at
        assert at % SIZES[base] == 0
        at += SIZES[base] * int(count or 1)
    assert at == HEADER_SIZE
    assert at % struct.calcsize("Q") == 0


@pytest.mark.parametrize("machine", ["x86_64", "i386", "aarch64"])
def test_call_tables_fit_and_name_each_number_once(machine: str) -> None:
    numbers = [number for call in CALLS if (number := getattr(call, machine)) is not None]
    assert len(set(numbers)) == len(numbers)
    assert max(table(machine)) < TABLE_SIZE
    assert {kind for _, kind, _ in table(machine).values()} <= {kind.number for kind in KIND_BY_NAME.values()}


@pytest.mark.parametrize(("kind", "names"), CALL_NAMES.items())
def test_calls_are_in_the_order_of_the_kinds_own_numbers(kind: str, names: tuple[str, ...]) -> None:
    """The BPF side subtracts the first one's id."""
    places = [place for place, call in enumerate(CALLS) if call.kind == kind]
    # What is no call of its own, such as an open through an io_uring, has its name behind those of the calls.
    names = names[: len(places)]
    assert tuple(CALLS[place].name for place in places) == names
    assert places == list(range(places[0], places[0] + len(names)))
