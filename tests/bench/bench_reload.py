"""How soon a saved rule runs, and what a load costs when the module was compiled before."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import wasmtime

from sentinel_engine.collector.recorded import RecordedSource
from sentinel_engine.pipeline import Pipeline
from sentinel_engine.records import Clock
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.registry import Registry
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox
from tests.bench.table import Row
from tests.engine.wasm_kit import abi0, spec

SAVES = 9
_LARGE_BYTES = 40_000
_PATIENCE = 10.0


def rows() -> Iterator[Row]:
    """Each figure as it is measured; the median of 9."""
    yield Row("saved file to live, a small rule", _saved_to_live(lambda n: abi0(_body(n))), "ms", 150)
    yield Row("saved file to live, a rule of 40 KB", _saved_to_live(_large), "ms", 150)
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "rule"
        copied.mkdir(mode=0o755)
        source = data_dir("rules") / "sensitive-file-read"
        for name in ("rule.yaml", "rule.wasm", "tests.yaml"):
            (copied / name).write_bytes((source / name).read_bytes())
        code = (source / "rule.wasm").read_bytes()
        # A custom section, so that each save is another module; its tests run before it is swapped.
        changed = lambda n: code + b"\0\x02\x01" + bytes([65 + n])  # noqa: E731 - as short as its use
        yield Row("saved file to live, with its own tests", _saved_to_live(changed, copied), "ms", 150)
    yield Row("load of a rule of 40 KB, compiled before", _cached(), "ms", 2)


def _large(n: int) -> bytes:
    """A module of some 40 KB, another one for each number."""
    body = "(func (param i32) (result i32) " + "(i32.mul (local.get 0) " * 20 + "(i32.const 12345)" + ")" * 20 + ")"
    functions = 1
    while len(code := wasmtime.wat2wasm(abi0(_body(n), body * functions).decode())) < _LARGE_BYTES:
        functions += max(1, (_LARGE_BYTES - len(code)) // 100)
    return bytes(code)


def _body(n: int) -> str:
    return f"(drop (i32.const {n})) (i32.const 0)"


def _saved_to_live(code: Callable[[int], bytes], rule: Path | None = None) -> float:
    """Milliseconds from the end of a save to the swap, in a running pipeline that watches the folder."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = (rule / "rule.wasm") if rule else Path(folder) / "rule.wasm"
        source = RecordedSource(data_dir("rules") / "demo.rec", 1.0)
        if rule is None:
            file.write_bytes(_as_wasm(code(0)))
        registry = Registry([(rule or Path(folder), False)], clock=source.clock)
        registry.load()
        pipeline = Pipeline(source, registry)
        pipeline.start()
        took = [_save(pipeline, file, _as_wasm(code(n)), n) for n in range(1, SAVES + 1)]
        pipeline.close()
    return statistics.median(took)


def _as_wasm(code: bytes) -> bytes:
    return code if code.startswith(b"\0asm") else bytes(wasmtime.wat2wasm(code.decode()))


def _save(pipeline: Pipeline, file: Path, code: bytes, generation: int) -> float:
    began = time.perf_counter()
    file.write_bytes(code)
    while pipeline.snapshot().rules[0].generation != generation + 1:
        if time.perf_counter() > began + _PATIENCE:
            raise RuntimeError(pipeline.snapshot().rules[0].reason)
        time.sleep(0.0005)
    return (time.perf_counter() - began) * 1000


def _cached() -> float:
    sandbox, code = Sandbox(), _large(0)
    load = partial(LoadedRule, sandbox, spec(), code, Clock(0))
    kept, took = load(), []
    for _ in range(SAVES):
        began = time.perf_counter()
        load().close()
        took.append((time.perf_counter() - began) * 1000)
    kept.close()
    sandbox.close()
    return statistics.median(took)
