"""Event objects: every kind has one, bytes are never lost, and screens get only inert text."""

from __future__ import annotations

import base64
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_engine.describe import detail, event_dict, rfc3339
from sentinel_engine.processes import Image
from sentinel_engine.records import Clock, decode, encode
from sentinel_engine.schema import KIND_BY_NAME, KINDS, RecordFlag
from sentinel_engine.text import inert, lossless, twin

CLOCK = Clock(1_700_000_000_000_000_000)


def _event(kind: str, **fields):  # type: ignore[no-untyped-def]
    return event_dict(decode(encode(KIND_BY_NAME[kind], **fields)), CLOCK)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@given(args=st.tuples(*[st.integers(0, 2**64 - 1)] * 4), strings=st.tuples(*[st.binary(max_size=40)] * 4))
def test_every_kind_has_an_event_object_and_a_line(kind, args, strings) -> None:  # type: ignore[no-untyped-def]
    event = event_dict(decode(encode(kind, args=args, strings=strings)), CLOCK)
    json.dumps(event)
    assert "\n" not in inert(detail(event))


def test_open_names_its_flags_and_error() -> None:
    event = _event("open", args=(0x241, 0o644), strings=(b"/var/log/x",), ret=-13)
    assert event["flags"] == "O_WRONLY|O_CREAT|O_TRUNC"
    assert event["mode"] == "0644"
    assert detail(event) == "/var/log/x  O_WRONLY|O_CREAT|O_TRUNC  EACCES"


def test_addresses() -> None:
    v4 = _event("connect", args=(3, 2, 443), strings=(bytes([10, 0, 0, 5]),))
    v6 = _event("connect", args=(3, 10, 53), strings=(bytes(15) + b"\1",))
    unix = _event("connect", args=(3, 1), strings=(b"\0systemd",))
    assert [detail(e) for e in (v4, v6, unix)] == ["→ 10.0.0.5:443", "→ [::1]:53", "→ @systemd"]


def test_bytes_that_are_not_text_have_a_twin() -> None:
    event = _event("open", strings=(b"/tmp/\xff\xfe",))
    assert event["path"] == r"/tmp/\xff\xfe"
    assert base64.b64decode(event["raw_b64"]["path"]) == b"/tmp/\xff\xfe"
    argv = _event("exec", strings=(b"/bin/x", b"x\0\xff\0ok\0"))
    assert argv["argv"] == ["x", r"\xff", "ok"]
    assert list(argv["raw_b64"]["argv"]) == ["1"]


def test_marks_say_what_is_not_exact() -> None:
    assert _event("unlink", flags=RecordFlag.USER_PTR | RecordFlag.TRUNCATED)["marks"] == ["truncated", "user_ptr"]


def test_the_process_gives_exe_and_argv_to_other_kinds() -> None:
    image = Image(0, b"cat", b"/usr/bin/cat", (b"cat", b"x"), b"/root", b"pts/0")
    event = event_dict(decode(encode(KIND_BY_NAME["open"], strings=(b"/x",))), CLOCK, image)
    assert (event["exe"], event["argv"], event["cwd"]) == ("/usr/bin/cat", ["cat", "x"], "/root")


def test_time_has_nanoseconds() -> None:
    assert rfc3339(1_700_000_000_000_000_001) == "2023-11-14T22:13:20.000000001Z"


@given(st.binary(max_size=60))
def test_lossless_text_can_be_undone(raw: bytes) -> None:
    exact = twin(raw)
    assert (lossless(raw).encode() if exact is None else base64.b64decode(exact)) == raw


@given(st.text(max_size=80))
def test_inert_text_holds_nothing_that_moves_or_hides(text: str) -> None:
    shown = inert(text, 50)
    assert all(unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)


@pytest.mark.parametrize("text", ["\x1b[2J", "a\r\nb", "\u202egnp.exe", "z\u200bero", "\x9b31m"])
def test_hostile_text_is_visible_as_what_it_is(text: str) -> None:
    assert "\\" in inert(text)
