"""The compilers that rules are built with: where they are, and what to install where they are not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TARGETS: Final = ("wasm32-unknown-unknown", "wasm32-wasip1", "wasm32-wasi")
_SECONDS: Final = 120.0
_DEBIAN_RUST: Final = "on Debian and Ubuntu: apt install rustc libstd-rust-dev-wasm32 lld"


class BuildError(Exception):
    """A rule that could not be compiled; the text begins with a sentence for the user, the compiler's words follow."""


class ToolchainError(BuildError):
    """This host has no compiler for it; the sentence says how to get one."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a compiler that succeeded has printed: the answer to a question, and its warnings."""

    answer: str
    warnings: str


@dataclass(frozen=True, slots=True)
class Rust:
    """A rustc, the WebAssembly target it has the libraries of, and its version as ``rustc --version`` says it."""

    rustc: Path
    target: str
    version: str


def find_rust(target: str | None = None) -> Rust:
    """A rustc for this one of TARGETS; without one: the first that is installed.

    The distribution's, which the pack is built with, comes before the one on PATH. Raises ToolchainError.
    """
    programs = list(dict.fromkeys(found for name in ("/usr/bin/rustc", "rustc") if (found := shutil.which(name))))
    for wanted in (target,) if target else TARGETS:
        for program in programs:
            if _has_libraries(program, wanted):
                return Rust(Path(program), wanted, run([program, "--version"]).answer)
    name = target or TARGETS[0]
    raise ToolchainError(f"no rustc here builds for {name}; {_DEBIAN_RUST}; with rustup: rustup target add {name}.")


def _has_libraries(rustc: str, target: str) -> bool:
    try:
        folder = run([rustc, "--print=target-libdir", f"--target={target}"]).answer
    except BuildError:  # a target that this release does not know
        return False
    return any(Path(folder).glob("libcore-*.rlib"))


def find_cargo(rust: Rust) -> Path:
    """The cargo that belongs to this rustc. Raises ToolchainError."""
    cargo = rust.rustc.with_name("cargo")
    if not cargo.exists():
        raise ToolchainError(f"there is no {cargo} beside {rust.rustc}; on Debian and Ubuntu: apt install cargo.")
    return cargo


def find_clang() -> Path:
    """A clang that can compile and link WebAssembly. Raises ToolchainError."""
    fix = "on Debian and Ubuntu: apt install clang lld"
    if (clang := shutil.which("clang")) is None:
        raise ToolchainError(f"there is no clang here, which rules in C are built with; {fix}.")
    if "wasm32" not in run([clang, "--print-targets"]).answer:
        raise ToolchainError(f"{clang} was made without WebAssembly; {fix}.")
    if shutil.which(run([clang, "--target=wasm32", "--print-prog-name=wasm-ld"]).answer) is None:
        raise ToolchainError(f"{clang} finds no wasm-ld to link with; {fix}.")
    return Path(clang)


def run(command: list[str], environment: Mapping[str, str] | None = None) -> Said:
    """What this compiler says. Raises BuildError with its complaints, or when it takes too long."""
    name, what = Path(command[0]).name, command[-1].rpartition("=")[2]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, stdin=subprocess.DEVNULL,
            timeout=_SECONDS, check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{name} refused {what}:\n{error.stderr.strip()}") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"{name} took more than {_SECONDS:.0f} s over {what}.") from None
    except OSError as error:
        raise BuildError(f"{command[0]} does not start: {error.strerror}.") from None
    return Said(done.stdout.strip(), done.stderr.strip())
