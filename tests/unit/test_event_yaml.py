"""Events written by hand become the records the kernel would have written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_engine import records
from sentinel_engine.records import Record
from sentinel_engine.rules.event_yaml import EventError, encode_event
from sentinel_engine.schema import EXE_DELETED, EXE_MEMFD, KIND_BY_NAME, RecordFlag


def event(**fields: Any) -> Record:
    return records.decode(encode_event(fields))


def test_an_open_with_names_for_numbers() -> None:
    record = event(
        kind="open", path="/etc/shadow", flags="O_RDWR|O_CREAT", mode="0640", ret="-EACCES", uid=33, comm="x"
    )
    assert (record.kind.name, record.string("path"), record.comm) == ("open", b"/etc/shadow", b"x")
    assert (record.arg("flags"), record.arg("mode"), record.ret) == (0o102, 0o640, -13)
    assert (record.uid, record.euid, record.gid, record.tgid, record.tid) == (33, 33, 33, 1000, 1000)
    assert record.flags == RecordFlag.USER_PTR  # a failed open's path is what the program passed


def test_an_exec_with_a_list_of_arguments() -> None:
    record = event(
        kind="exec", pid=7, exe="/usr/bin/x", argv=["x", 4444, b"\xff"], cwd="/", exe_flags=["memfd", "deleted"]
    )
    assert record.string("argv") == b"x\x004444\x00\xff\x00"
    assert record.arg("exe_flags") == EXE_MEMFD | EXE_DELETED
    assert (record.tgid, record.leader_start, record.flags) == (7, 7, 0)


@pytest.mark.parametrize(
    ("addr", "family", "raw"),
    [
        ("10.0.0.5", 2, b"\x0a\0\0\x05"),
        ("::1", 10, b"\0" * 15 + b"\1"),
        ("/run/x.sock", 1, b"/run/x.sock"),
        ("", 0, b""),
    ],
)
def test_the_family_follows_from_the_address(addr: str, family: int, raw: bytes) -> None:
    record = event(kind="connect", addr=addr, port=4444)
    assert (record.arg("family"), record.arg("port"), record.string("addr")) == (family, 4444, raw)


def test_a_forks_child_is_the_same_process_in_later_events() -> None:
    fork = event(kind="fork", pid=7, child_pid=8)
    assert fork.arg("child_start") == event(kind="exit", pid=8).leader_start


def test_other_named_numbers() -> None:
    assert event(kind="kill", signal="SIGKILL", call="tgkill").args[1:3] == (9, 2)
    assert event(kind="ptrace", request="PTRACE_SEIZE").arg("request") == 0x4206
    assert event(kind="bpf", command="BPF_PROG_LOAD").arg("command") == 5
    assert event(kind="unlink", path="/x", flags="AT_REMOVEDIR").arg("flags") == 0x200
    assert (
        event(kind="open", path="/x", marks=["truncated", "compat"]).flags == RecordFlag.TRUNCATED | RecordFlag.COMPAT
    )


@pytest.mark.parametrize(
    ("fields", "reason", "fix"),
    [
        ({"path": "/x"}, "no kind", "use one of exec"),
        ({"kind": "opne"}, "unknown kind 'opne'", "did you mean 'open'?"),
        ({"kind": "open", "pth": "/x"}, "unknown field 'pth' of open", "did you mean 'path'?"),
        ({"kind": "open", "flags": "O_FAST"}, "flags: 'O_FAST' is no value", "name or number"),
        ({"kind": "open", "ret": "EWHAT"}, "ret: 'EWHAT'", "the number the kernel gives"),
        ({"kind": "open", "uid": -1}, "uid: -1", "the number"),
        ({"kind": "open", "path": None}, "path: expected text", "quotes"),
        ({"kind": "open", "path": "x" * 4097}, "longer than 4096 bytes", "shorten"),
        ({"kind": "open", "comm": "x" * 16}, "longer than 15 bytes", "shorten"),
        ({"kind": "exec", "exe_flags": ["hidden"]}, "exe_flags: ", "name or number"),
        ({"kind": "open", "marks": ["odd"]}, "unknown mark", "truncated"),
        ({"kind": "ptrace", "request": "PTRACE_X"}, "request: ", "name or number"),
    ],
)
def test_a_mistake_is_named_with_its_fix(fields: dict[str, Any], reason: str, fix: str) -> None:
    with pytest.raises(EventError) as caught:
        encode_event(fields)
    assert reason in str(caught.value)
    assert fix in caught.value.fix


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20)


@given(kind=st.sampled_from(sorted(KIND_BY_NAME)), data=st.data())
def test_whatever_yaml_holds_is_a_record_or_a_sentence(kind: str, data: st.DataObject) -> None:
    known = [*KIND_BY_NAME[kind].args, *KIND_BY_NAME[kind].strings, "pid", "ret", "comm", "marks", "start", "cgroup"]
    fields = data.draw(st.dictionaries(st.sampled_from(known), SCALARS | st.lists(SCALARS, max_size=3), max_size=5))
    try:
        raw = encode_event({"kind": kind, **fields})
    except EventError:
        return
    assert records.decode(raw).kind.name == kind
