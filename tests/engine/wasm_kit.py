"""What the sandbox tests share: a spec without a file, batches of opens, and one way to run a module over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sentinel_engine.records import Batch, Clock, batch_of, encode
from sentinel_engine.rules.manifest import CAPABILITIES, Limits, RuleSpec
from sentinel_engine.schema import KIND_BY_NAME
from sentinel_engine.snapshot import Severity
from sentinel_engine.wasm.rule import Failure, LoadedRule, Match
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_engine.wasm.selection import Selector

MODULES = Path(__file__).parent / "modules"
OFFSET = 1_700_000_000_000_000_000
SPEC = RuleSpec(
    id="r", path=Path("r.wasm"), folder=None, title="t", version="1", severity=Severity.HIGH, attack=(), kinds=(),
    capabilities=CAPABILITIES, limits=Limits(), message="", config=b"",
)  # fmt: skip


def spec(**changes: Any) -> RuleSpec:
    """A rule with defaults and these changes."""
    return replace(SPEC, **changes)


def abi0(body: str, rest: str = "") -> bytes:
    """A module whose check_file_access has this body; locals 0 and 1 are the path's address and length."""
    before, after = (rest, "") if "(import" in rest else ("", rest)  # imports come first in a module
    return f"""(module {before} (memory (export "memory") 1) {after}
      (func (export "check_file_access") (param i32 i32) (result i32) {body}))""".encode()


def abi1(body: str, rest: str = "") -> bytes:
    """A module whose sentinel_eval has this body; locals 0 and 1 are the record's address and length."""
    return f"""(module {rest} (memory (export "memory") 1) (func (export "sentinel_abi_v1"))
      (func (export "sentinel_eval") (param i32 i32) (result i32) {body}))""".encode()


def opens(*paths: bytes, first_ns: int = 0) -> Batch:
    """A batch of opens of these paths, a nanosecond apart."""
    kind = KIND_BY_NAME["open"]
    return batch_of([encode(kind, strings=(path,), boot_ns=first_ns + n) for n, path in enumerate(paths)])


class Bench:
    """A sandbox and a selector; ``run`` evaluates a batch."""

    def __init__(self) -> None:
        self.sandbox = Sandbox()
        self.selector = Selector(self.sandbox)

    def load(self, code: bytes, **changes: Any) -> LoadedRule:
        """Load this module."""
        return LoadedRule(self.sandbox, spec(**changes), code, Clock(OFFSET))

    def run(self, rule: LoadedRule, batch: Batch, patience: int = 5) -> tuple[list[Match], list[Failure]]:
        """Its matches and failures over this batch."""
        self.selector.load(batch, processes="process" in rule.abi.uses)
        selection = self.selector.select(rule.abi.mask)
        return rule.run(selection, patience) if selection else ([], [])
