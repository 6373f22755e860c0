"""Damaged modules, the same ones each time: 500 here, 10,000 in the longer job (`make test-long`)."""

from __future__ import annotations

import subprocess
import sys

import pytest
import wasmtime

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.manifest import Limits
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.wasm.rule import LoadedRule
from tests.engine.hostile.modules import GUARDED, SCANNER, TRAPPING, WASTEFUL, mutants
from tests.engine.wasm_kit import Bench, abi0, opens

LIMITS = Limits(memory_bytes=1 << 20, deadline_ms=10)
RUN = "import sys; from tests.engine.hostile import test_fuzz; test_fuzz._run(int(sys.argv[1]), int(sys.argv[2]))"


def _run(first: int, end: int) -> None:
    """Load these of the mutants, let those that load look at events; a good rule must not notice."""
    seeds = [path.read_bytes() for path in sorted(data_dir("rules").glob("*/rule.wasm"))]
    texts = [*(TRAPPING | WASTEFUL).values(), GUARDED.decode(), SCANNER.decode()]
    seeds += [bytes(wasmtime.wat2wasm(text)) for text in texts]
    bench = Bench()
    good = bench.load(abi0("i32.const 1"))
    batch = opens(b"/etc/shadow", b"/tmp/\xff\xfe", b"", b"/" + b"x" * 4000)
    loaded = 0
    for code in mutants(seeds, end)[first:]:
        if rule := _loaded_or_refused(bench, code):
            bench.run(rule, batch, patience=2)
            assert rule.memory().peak <= LIMITS.memory_bytes
            rule.close()
            loaded += 1
            assert len(bench.run(good, batch)[0]) == len(batch)
    bench.sandbox.close()
    sys.stdout.write(f"{loaded}\n")


def _loaded_or_refused(bench: Bench, code: bytes) -> LoadedRule | None:
    said = ""
    try:
        return bench.load(code, limits=LIMITS)
    except RuleError as refused:
        said = str(refused)
    assert "\n" not in said
    return None


def _in_a_process_of_its_own(first: int, end: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(first), str(end)], capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, f"mutants {first} to {end}: {done.stderr[-2000:]}"
    return int(done.stdout)


def test_five_hundred_damaged_modules_end_in_a_rule_or_a_sentence() -> None:
    assert _in_a_process_of_its_own(0, 500) > 50


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_ten_thousand_damaged_modules_end_in_a_rule_or_a_sentence(part: int) -> None:
    assert _in_a_process_of_its_own(500 + 1000 * part, 1500 + 1000 * part) > 100
