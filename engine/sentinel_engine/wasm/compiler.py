"""How modules are compiled, and a child process that does it with limits: a compile bomb must not stop the console.

The artefact comes back over a pipe of our own; no compiled file is ever read from a disk.
"""

from __future__ import annotations

import resource
import sys
from typing import Final

import wasmtime

from sentinel_engine.privileges import NOTHING, drop

SECONDS: Final = 10
_BYTES: Final = 4 << 30
_MAX_ARTEFACT: Final = 64 << 20
_FUEL: Final = "--fuel"
_WASM_STACK: Final = 256 << 10
# wasmtime reserves 4 GiB of addresses for each memory; under an address limit it must not.
_SMALL_RESERVATION: Final = 32 << 20


def host_configuration() -> wasmtime.Config:
    """What this host allows, for modules of our own."""
    config = wasmtime.Config()
    config.parallel_compilation = False  # with it, a fork while compiling hangs the child
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        config.memory_reservation = _SMALL_RESERVATION
        config.signals_based_traps = False
    return config


def configuration(*, trusted: bool, vectors: bool = True, fuel: bool = False) -> wasmtime.Config:
    """The same for what runs beside rules, or for the rules: they are checked without what only our drivers need.

    That is more than one memory, and memory that several stores share. ``vectors``: with SIMD. ``fuel``: count
    instructions instead of looking at the deadline.
    """
    config = host_configuration()
    config.epoch_interruption, config.consume_fuel = not fuel, fuel
    config.max_wasm_stack = _WASM_STACK
    for feature in (
        "wasm_memory64", "wasm_tail_call", "wasm_relaxed_simd", "wasm_gc", "wasm_exceptions",
        "wasm_function_references", "wasm_component_model", "wasm_stack_switching", "wasm_custom_page_sizes",
        "wasm_wide_arithmetic",
    ):  # fmt: skip
        setattr(config, feature, False)
    config.wasm_simd = vectors
    config.wasm_multi_memory = config.wasm_threads = config.shared_memory = trusted
    return config


def compile_apart(code: bytes, *, fuel: bool = False) -> bytes:
    """The serialized module, whose imports and exports are of types that wasmtime can speak of.

    Raises RuleError when it takes too long or too much memory, or when the compiler fails.
    """
    # Not for the child, which would need half as long again to start.
    import subprocess  # noqa: PLC0415 - see above

    from sentinel_engine.rules.reading import RuleError  # noqa: PLC0415 - see above

    command = [sys.executable, "-I", "-m", "sentinel_engine.wasm.compiler", *([_FUEL] if fuel else [])]
    try:
        done = subprocess.run(command, input=code, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuleError(
            f"compiling took more than {SECONDS} s", "make the module smaller, or its functions shorter"
        ) from error
    if done.returncode or len(done.stdout) > _MAX_ARTEFACT:
        reason = done.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1][:200]
        raise RuleError(
            f"the compiler gave up: {reason or 'out of memory'}",
            "make the module smaller; import and export nothing of type v128",
        )
    return done.stdout


def _main() -> None:
    drop(NOTHING)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    engine = wasmtime.Engine(configuration(trusted=True, fuel=_FUEL in sys.argv))
    # Only now: the settings look at this limit, and must be those of the parent.
    resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    module = wasmtime.Module(engine, sys.stdin.buffer.read())
    _look_at_types(module)
    sys.stdout.buffer.write(module.serialize())


def _look_at_types(module: wasmtime.Module) -> None:
    """Ask for all that linking will: at a type that its C interface does not know, wasmtime ends the process."""
    for kind in (*(one.type for one in module.imports), *(one.type for one in module.exports)):
        if isinstance(kind, wasmtime.FuncType):
            list(map(str, (*kind.params, *kind.results)))
        elif isinstance(kind, wasmtime.GlobalType):
            str(kind.content)


if __name__ == "__main__":
    _main()
