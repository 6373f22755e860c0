"""What a rule is given: the path or the record, the event's time, its config; and the original example as it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_engine.records import batch_of, encode
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.schema import KIND_BY_NAME
from tests.engine.wasm_kit import MODULES, OFFSET, Bench, abi0, abi1, opens

LOG = '(import "host" "log_message" (func $log (param i32 i32)))'
TIME = '(import "host" "get_timestamp" (func $now (result i64)))'
EXAMPLES = sorted(path.name for path in MODULES.glob("example_*.wasm"))


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.sandbox.close()


def test_all_builds_of_the_example_are_there() -> None:
    assert EXAMPLES == [
        "example_abi0.wasi.wasm", "example_abi0.wasm", "example_host.wasi.wasm", "example_host.wasm",
    ]  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_original_example_works_unmodified(bench: Bench, name: str) -> None:
    rule = bench.load((MODULES / name).read_bytes())
    batch = opens(b"/etc/shadow", b"/etc/hosts", b"/etc/passwd", b"/tmp/\xff\xfe/etc/shadow", first_ns=5)
    matches, failures = bench.run(rule, batch)
    assert failures == []
    assert [match.index for match in matches] == [0, 2, 3]
    if "host" in name:
        assert matches[0].logs == (b"%d /etc/shadow" % (OFFSET // 10**9),)  # the example logs whole seconds


@pytest.mark.parametrize(("capability", "imports"), [("log", LOG), ("clock", TIME)])
def test_an_import_needs_its_capability(bench: Bench, capability: str, imports: str) -> None:
    with pytest.raises(RuleError, match=f"without the capability {capability}") as refused:
        bench.load(abi0("i32.const 0", imports), capabilities=frozenset())
    assert capability in refused.value.fix


def test_wasi_is_denied(bench: Bench) -> None:
    imports = """(import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"""
    enosys = "(i32.eq (call $w (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 52))"
    assert len(bench.run(bench.load(abi0(enosys, imports)), opens(b"/x"))[0]) == 1
    _, failures = bench.run(bench.load(abi0("(call $exit (i32.const 0)) i32.const 0", imports)), opens(b"/x"))
    assert "unreachable" in failures[0].reason


def _paths_seen(bench: Bench, *paths: bytes) -> list[bytes]:
    """What check_file_access is handed for these paths, as the rule itself logs it in pieces of 512."""
    body = """(local $at i32)
      (loop $more
        (call $log (i32.add (local.get 0) (local.get $at))
          (select (i32.const 512) (i32.sub (local.get 1) (local.get $at))
            (i32.gt_u (i32.sub (local.get 1) (local.get $at)) (i32.const 512))))
        (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 512))) (local.get 1))))
      i32.const 1"""
    rule = bench.load(abi0(body, LOG))
    seen = []
    for path in paths:
        matches, failures = bench.run(rule, opens(path))
        assert failures == []
        seen.append(b"".join(matches[0].logs))
    rule.close()
    return seen


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), min_size=1, max_size=20))
def test_abi_0_is_handed_valid_utf8(paths: list[bytes]) -> None:
    bench = Bench()
    try:
        for path, seen in zip(paths, _paths_seen(bench, *paths), strict=True):
            text = seen.decode("utf-8")  # raises when it is not
            assert text.replace("\ufffd", "") == path.decode("utf-8", "ignore").replace("\ufffd", "")
            if b"\xef\xbf\xbd" not in path:
                assert ("\ufffd" in text) is (path.decode("utf-8", "ignore").encode() != path)
    finally:
        bench.sandbox.close()


def test_the_longest_path_arrives_whole_and_as_replacements(bench: Bench) -> None:
    whole, bad = b"/" + b"x" * 4095, b"\xff" * 4096
    assert _paths_seen(bench, whole, bad) == [whole, b"\xef\xbf\xbd" * 4096]


def test_abi_1_is_handed_the_record_byte_for_byte(bench: Bench) -> None:
    body = "(call $log (local.get 0) (local.get 1)) i32.const 50"
    rule = bench.load(abi1(body, LOG))
    raw = encode(KIND_BY_NAME["exec"], strings=(b"/bin/x", b"x\0y\0", b"/"), args=(1, 2, 3, 4), tgid=9, ret=-2)
    matches, _ = bench.run(rule, batch_of([raw]))
    assert matches[0].logs == (raw,)
    assert matches[0].score == 50


def test_the_time_is_the_events_own(bench: Bench) -> None:
    body = "(i64.store (i32.const 0) (call $now)) (call $log (i32.const 0) (i32.const 8)) i32.const 1"
    matches, _ = bench.run(bench.load(abi0(body, LOG + TIME)), opens(b"/a", b"/b", first_ns=77))
    assert [struct.unpack("<Q", match.logs[0])[0] for match in matches] == [OFFSET + 77, OFFSET + 78]


def test_a_rule_sees_only_the_kinds_it_subscribed_to_at_their_places(bench: Bench) -> None:
    kinds = ["open", "exec", "exit", "unlink", "open", "exec"]
    batch = batch_of([encode(KIND_BY_NAME[kind], strings=(b"/x",)) for kind in kinds])
    rule = bench.load(abi1("i32.const 1"), kinds=("exec", "unlink"))
    assert [match.index for match in bench.run(rule, batch)[0]] == [1, 3, 5]
    assert rule.figures.calls == 3
    assert [match.index for match in bench.run(bench.load(abi1("i32.const 1")), batch)[0]] == [0, 1, 2, 3, 4, 5]
    assert [match.index for match in bench.run(bench.load(abi0("i32.const 1")), batch)[0]] == [0, 4]


def test_abi_0_takes_only_kinds_with_a_path(bench: Bench) -> None:
    with pytest.raises(RuleError, match="connect"):
        bench.load(abi0("i32.const 1"), kinds=("open", "connect"))


CONFIG = """(func (export "sentinel_config") (param i32 i32) (result i32)
  (i32.store (i32.const 0) (i32.load8_u (local.get 0))) (i32.sub (i32.const 10) (local.get 1)))"""


def test_config_is_handed_over_once_and_may_be_refused(bench: Bench) -> None:
    same_first_byte = "(i32.eq (i32.load (i32.const 0)) (i32.const 123))"
    rule = bench.load(abi1(same_first_byte, "").replace(b"(func (export \"sentinel_abi_v1\"))",
                      b"(func (export \"sentinel_abi_v1\"))" + CONFIG.encode()), config=b'{"a":1}')  # fmt: skip
    assert len(bench.run(rule, opens(b"/x"))[0]) == 1
    with pytest.raises(RuleError, match="refused its config"):
        bench.load(abi0("i32.const 0", CONFIG), config=b'{"much": "longer"}')
    with pytest.raises(RuleError, match="sentinel_config"):
        bench.load(abi0("i32.const 0"), config=b"{}")


def test_figures_of_a_rule(bench: Bench) -> None:
    rule = bench.load(abi0("i32.const 0"))
    for _ in range(20):
        bench.run(rule, opens(*[b"/usr/lib/x"] * 500))
    latency, memory = rule.latency(), rule.memory()
    assert rule.figures.calls == 10_000
    assert 0 < latency.mean < 10_000
    assert latency.p50 <= latency.p99 <= latency.max
    assert memory.current == 2 * 65536  # the module's page and the one for its input
    assert rule.instantiate_ns > 0


def test_what_a_rule_logs_before_the_first_event_is_counted(bench: Bench) -> None:
    start = '(func (export "_initialize") (call $log (i32.const 0) (i32.const 3)))'
    rule = bench.load(abi0("i32.const 1", LOG).replace(b'(memory (export "memory") 1)', b'(memory (export "memory") 1)'
                      + start.encode()))  # fmt: skip
    matches, _ = bench.run(rule, opens(b"/x"))
    assert (matches[0].logs, rule.figures.logs, rule.figures.dropped_logs) == ((), 0, 1)


def test_a_batch_of_any_length_is_picked_from(bench: Bench) -> None:
    # The processes of a large host, which rules are told of at the start, are more than the framer's 4 MiB.
    kinds = [KIND_BY_NAME["exec"], KIND_BY_NAME["open"]]
    batch = batch_of([encode(kinds[n % 2], strings=(b"/" + b"x" * 4000,)) for n in range(4000)])
    assert len(batch.data) > 3 * (4 << 20)
    rule = bench.load(abi0("(i32.eq (local.get 1) (i32.const 4001))"))
    bench.run(rule, opens(b"/before"))
    matches, failures = bench.run(rule, batch)
    assert failures == []
    assert (rule.figures.calls, rule.figures.matches) == (2001, 2000)
    assert all(match.index % 2 for match in matches)
    small = batch_of([encode(kind, strings=(b"/y",)) for kind in kinds])
    assert bench.run(rule, small) == ([], [])
