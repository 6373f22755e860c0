"""The hostile set: real modules that try to take the process down, stall it, fill it or reach another rule."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

import wasmtime

from sentinel_engine.rules.manifest import MAX_MODULE
from tests.engine.wasm_kit import abi0, abi1

CHECK = '(func (export "check_file_access") (param i32 i32) (result i32) {})'
MEMORY = '(memory (export "memory") 1)'
LOG = '(import "host" "log_message" (func $log (param i32 i32)))'
LOOP = "(loop br 0)"
FILL = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))"


def _module(body: str, check: str = "i32.const 0", memory: str = MEMORY) -> str:
    return f"(module {memory} {body} {CHECK.format(check)})"


def _imports(what: str) -> str:
    return f"(module {what} {MEMORY} {CHECK.format('i32.const 0')})"


# Refused when loaded, with these words in the reason.
REFUSED: dict[str, tuple[str, str]] = {
    "loop in start": (_module(f"(func $s {LOOP}) (start $s)"), "did not start"),
    "loop in _initialize": (_module(f'(func (export "_initialize") {LOOP})'), "did not start"),
    "loop in sentinel_alloc": (
        _module(f'(func (export "sentinel_alloc") (param i32) (result i32) {LOOP} i32.const 0)'), "did not start"),
    "trap in start": (_module("(func $s unreachable) (start $s)"), "unreachable"),
    "recursion in start": (_module("(func $s (call $s)) (start $s)"), "stack"),
    "out of bounds data": (_module('(data (i32.const 65530) "0123456789")'), "out of bounds"),
    "out of bounds elements": (_module("(table 1 funcref) (func $f) (elem (i32.const 9) $f)"), "out of bounds"),
    "trap in _initialize": (_module('(func (export "_initialize") unreachable)'), "unreachable"),
    "_initialize with parameters": (_module('(func (export "_initialize") (param i32))'), "_initialize"),
    "alloc outside of its memory": (
        _module('(func (export "sentinel_alloc") (param i32) (result i32) i32.const -4)'), "sentinel_alloc"),
    "alloc at the very end": (
        _module('(func (export "sentinel_alloc") (param i32) (result i32) i32.const 65535)'), "sentinel_alloc"),
    "start that takes all memory there is": (_module(f"(func $s {FILL}) (start $s)"), "cannot grow"),
    "memory that begins over the limit": (_module("", memory='(memory (export "memory") 65536)'), "limit"),
    "memory without room for the input": (_module("", memory='(memory (export "memory") 1 1)'), "cannot grow"),
    "no memory": (_module("", memory=""), "no memory"),
    "a memory that is a function": (_module('(func (export "memory"))', memory=""), "no memory"),
    "two memories": (_module("(memory 1)"), "multi"),
    "64-bit memory": (_module("", memory='(memory (export "memory") i64 1)'), "memory64"),
    "shared memory": (_module("", memory='(memory (export "memory") 1 2 shared)'), "threads"),
    "a table over the limit": (_module("(table 20000 funcref)"), "table"),
    "nine tables": (_module("(table 1 funcref)" * 9), "table"),
    "nothing exported": ("(module)", "check_file_access"),
    "an entry point that is a global": (
        f'(module {MEMORY} (global (export "check_file_access") i32 (i32.const 1)))', "wrong type"),
    "an entry point of another type": (
        f'(module {MEMORY} (func (export "check_file_access") (param i64) (result f64) f64.const 0))', "wrong type"),
    "a marker without an entry point": (f'(module {MEMORY} (func (export "sentinel_abi_v1")))', "sentinel_eval"),
    "a snapshot of another type": (
        _module('(func (export "sentinel_snapshot") (result i32) i32.const 0)'), "wrong type"),
    "an import that nobody is given": (_imports('(import "env" "system" (func (param i32)))'), "env.system"),
    "an import of another type": (_imports('(import "host" "log_message" (func (param i64)))'), "host.log_message"),
    "an import of a memory": (
        f'(module (import "host" "memory" (memory 1)) (export "memory" (memory 0)) {CHECK.format("i32.const 0")})',
        "host.memory"),
    "an import of the sandbox's memory": (
        _imports('(import "sandbox" "records" (func))'), "sandbox.records"),
    "an import of the arena": (
        f'(module (import "shim" "arena" (memory 1)) (export "memory" (memory 0)) {CHECK.format("i32.const 0")})',
        "shim.arena"),
    "an import of a table": (_imports('(import "shim" "hook" (table 1 funcref))'), "shim.hook"),
    "an import of a global": (_imports('(import "shim" "now" (global (mut i64)))'), "shim.now"),
    "a memory from WASI": (
        f'(module (import "wasi_snapshot_preview1" "m" (memory 1)) (export "memory" (memory 0)) '
        f'{CHECK.format("i32.const 0")})', "wasi_snapshot_preview1.m"),
    "a global from WASI": (_imports('(import "wasi_snapshot_preview1" "g" (global i32))'), "wasi_snapshot_preview1.g"),
    "exceptions": (_module("(tag) (func $t (throw 0))"), "exceptions"),
    "tail calls": (_module("(func $t (return_call $t))"), "tail"),
    "a vector for a parameter": (_module('(func (export "f") (param v128))'), "v128"),
    "a vector for an entry point": (
        f'(module {MEMORY} (func (export "check_file_access") (param i32 i32) (result v128) '
        "(v128.const i64x2 0 0)))", "v128"),
    "a global vector": (_module('(global (export "g") v128 (v128.const i64x2 0 0))'), "v128"),
    "an import of a vector": (_imports('(import "env" "f" (func (param v128)))'), "v128"),
    "garbage collection": (_module("(type (struct))"), "gc"),
}  # fmt: skip

# Loaded, and misbehaving at an event. Those that end in quarantine; the others only waste what is theirs.
TRAPPING: dict[str, str] = {
    "loop": _module("", f"{LOOP} i32.const 0"),
    "trap": _module("", "unreachable"),
    "recursion": _module("(func $deep (call $deep))", "(call $deep) i32.const 0"),
    "recursion with a large frame": _module(
        f"(func $deep (param i64) (result i64) (local {'i64 ' * 4000}) (call $deep (local.get 4000)))",
        "(drop (call $deep (i64.const 0))) i32.const 0"),
    "read behind its memory": _module("", "(i32.load (i32.const -8))"),
    "write behind its memory": _module("", "(i32.store8 (i32.const 0x7fffffff) (i32.const 1)) i32.const 0"),
    "read with a large offset": _module("", "(i32.load offset=4294967295 (i32.const 1))"),
    "copy over its end": _module("", "(memory.copy (i32.const 0) (i32.const 8) (i32.const -1)) i32.const 0"),
    "fill over its end": _module("", "(memory.fill (i32.const 8) (i32.const 1) (i32.const -1)) i32.const 0"),
    "division": _module("", "(i32.div_s (local.get 1) (i32.const 0))"),
    "overflow": _module("", "(i32.div_s (i32.const 0x80000000) (i32.const -1))"),
    "conversion": _module("", "(i32.trunc_f64_s (f64.const nan))"),
    "no such element": _module("(table 1 funcref)", "(call_indirect (i32.const 9)) i32.const 0"),
    "an empty element": _module("(table 1 funcref)", "(call_indirect (i32.const 0)) i32.const 0"),
    "log of what it has not": (
        f"(module {LOG} {MEMORY} " + CHECK.format("(call $log (i32.const -1) (i32.const 512)) i32.const 0") + ")"),
    "exit by WASI": ('(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) '
                     f"{MEMORY} {CHECK.format('(call $exit (i32.const 0)) i32.const 0')})"),
}  # fmt: skip
WASTEFUL: dict[str, str] = {
    "memory bomb": _module("", f"{FILL} i32.const 0"),
    "table bomb": _module("(table 1 funcref)", "(drop (table.grow 0 (ref.null func) (i32.const -1))) i32.const 0"),
    "trap on one in a thousand": _module(
        "(global $n (mut i32) (i32.const 0))",
        "(global.set $n (i32.add (global.get $n) (i32.const 1))) "
        "(if (i32.eqz (i32.rem_u (global.get $n) (i32.const 1000))) (then unreachable)) i32.const 0"),
    "log flood": (f"(module {LOG} {MEMORY} " + CHECK.format(
        "(local $n i32) (loop $m (call $log (i32.const 0) (i32.const 60000)) (br_if $m (i32.lt_u (local.tee $n "
        "(i32.add (local.get $n) (i32.const 1))) (i32.const 500)))) i32.const 0") + ")"),
    "vectors within": _module("", "(i8x16.bitmask (v128.load (i32.const 0)))"),
    "returns the largest": _module("", "i32.const 0x7fffffff"),
    "returns the smallest": _module("", "i32.const 0x80000000"),
    "returns minus one": _module("", "i32.const -1"),
    "returns whatever": _module(
        "(global $x (mut i32) (i32.const 1))",
        "(global.set $x (i32.mul (global.get $x) (i32.const 1103515245))) (i32.or (global.get $x) (i32.const 2))"),
    "overwrites all of its memory": _module(
        "", "(memory.fill (i32.const 0) (i32.const 255) (i32.mul (memory.size) (i32.const 65536))) i32.const 0"),
}  # fmt: skip

SECRET = 0x5EC2E7_0123456789
# Keeps a secret in its memory and traps when it has changed: nobody else may reach it.
GUARDED = abi0(
    f"(if (i64.ne (i64.load (i32.const 4096)) (i64.const {SECRET})) (then unreachable)) i32.const 1",
    f"(func $s (i64.store (i32.const 4096) (i64.const {SECRET}))) (start $s)",
)
# Looks through all the memory it can read for that secret; finding it is a match.
SCANNER = abi1(
    f"""(local $at i32) (local $end i32)
    (local.set $end (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)))
    (loop $next
      (if (i64.eq (i64.load (local.get $at)) (i64.xor (i64.const {SECRET ^ 0xFFFF}) (i64.const 0xFFFF)))
        (then (return (i32.const 100))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    i32.const 0""",
    "",
)


@cache
def bombs() -> dict[str, bytes]:
    """Modules that are hard to compile or to read. Each is refused or loaded, within the compiler's limits."""
    function = "(func (result i32) i32.const 1)"
    long_body = "(drop (i32.add (i32.const 1) (i32.const 2)))" * 100_000
    locals_of_one = "(local " + "i64 " * 45_000 + ")"
    return {
        "60,000 functions": _compiled(lambda: _module(function * 60_000)),
        "one function of a megabyte": _compiled(lambda: _module(f"(func {long_body})")),
        "blocks in blocks, 9,000 deep": _compiled(lambda: _module(f"(func {'(block ' * 9000}{')' * 9000})")),
        "loops over many variables": _compiled(
            lambda: _module(
                f"(func (local {'i64 ' * 3000}) {'(loop ' * 400}{'(br_if 0 (i32.const 0))' * 9}{')' * 400})"
            )
        ),
        "a large branch table": _compiled(lambda: _module(f"(func (block (br_table {'0 ' * 60_000} (i32.const 1))))")),
        "many functions of many variables": _compiled(lambda: _module(f"(func {locals_of_one})" * 300)),
        "many types, imports and exports": _compiled(
            lambda: _module("".join(f'(func (export "f{n}") (param {"i32 " * (n % 20)}))' for n in range(9000)))
        ),
        "text nested too deeply": b"(module " + b"(func (block " * 50_000 + b")" * 100_000,
        "text that is no module": b"(module (func $a (call $b)))",
        "text over the limit": b";" * (MAX_MODULE + 1),
        "an endless comment": b"(module (; " + b"(; " * 100_000,
    }


def _compiled(text: Callable[[], str]) -> bytes:
    return bytes(wasmtime.wat2wasm(text()))


def mutants(seeds: list[bytes], count: int) -> list[bytes]:
    """So many damaged modules: bits flipped, cut, spliced, lengths changed, noise. The same ones each time."""
    dice = random.Random(20261123)
    return [_mutant(dice, dice.choice(seeds), seeds) for _ in range(count)]


def _mutant(dice: random.Random, seed: bytes, seeds: list[bytes]) -> bytes:
    code = bytearray(seed)
    match dice.randrange(20):
        case 0:
            return bytes(code[: dice.randrange(len(code))])
        case 1:
            return bytes(code[:8]) + dice.randbytes(dice.randrange(400))
        case 2:
            other, at = dice.choice(seeds), dice.randrange(8, len(code))
            return bytes(code[:at]) + other[dice.randrange(8, len(other)) :]
        case 3:
            at, end = sorted((dice.randrange(8, len(code)), dice.randrange(8, len(code))))
            return bytes(code[:at] + code[end:] + code[at:end])
        case 4:  # a section's length, or another number
            at = dice.randrange(8, len(code))
            code[at : at + 1] = bytes([0x80 | dice.randrange(128), dice.randrange(128)])
        case 5:
            at = dice.randrange(8, len(code))
            code[at:at] = code[at : at + dice.randrange(1, 64)]
        case 6:
            for _ in range(dice.randrange(2, 6)):
                code[dice.randrange(8, len(code))] ^= 1 << dice.randrange(8)
        case _:  # one bit, mostly of the code and the data, which are last
            code[dice.randrange(8 if dice.randrange(4) == 0 else len(code) // 3, len(code))] ^= 1 << dice.randrange(8)
    return bytes(code)
