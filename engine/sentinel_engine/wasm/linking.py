"""What a module asks for and offers: each import is a capability, each export is checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import wasmtime
from wasmtime._exportable import AsExtern
from wasmtime._instance import InstanceExports
from wasmtime._types import AsExternType

from sentinel_engine.rules.manifest import RuleError, RuleSpec
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME, KINDS, mask_of

ABI_MARKER: Final = "sentinel_abi_v1"
_HOST_MODULE: Final = "host"
_HOST: Final = {
    "log_message": ("log", ["i32", "i32"], []),
    "get_timestamp": ("clock", [], ["i64"]),
    "get_process": ("process", ["i32", "i32", "i32"], ["i32"]),
}
_OPTIONAL: Final[tuple[tuple[str, list[str], str], ...]] = (
    ("sentinel_alloc", ["i32"], "i32"),
    ("sentinel_config", ["i32", "i32"], "i32"),
    ("sentinel_snapshot", [], "i64"),
    ("sentinel_restore", ["i32", "i32"], "i32"),
)
_WASI: Final = frozenset({"wasi_snapshot_preview1", "wasi_unstable"})
_ENOSYS: Final = 52
_PATHS: Final = sum(kind.bit for kind in KINDS if kind.strings[:1] in {("path",), ("exe",)})


@dataclass(frozen=True, slots=True)
class Abi:
    """How a rule is called: the export, whether it gets only the path, and which kinds it sees.

    ``looks_up``: whether it may ask for processes, so that they have to be kept for it.
    """

    function: str
    path_only: bool
    mask: int
    looks_up: bool


def abi_of(module: wasmtime.Module, spec: RuleSpec) -> Abi:
    """The ABI of this module. Raises RuleError when the exports do not fit it."""
    exports = {export.name: export.type for export in module.exports}
    version = 1 if ABI_MARKER in exports else 0
    function = "sentinel_eval" if version else "check_file_access"
    if function not in exports:
        raise RuleError(
            f"the module does not export {function}" + ("" if version else f", nor the marker {ABI_MARKER} of ABI 1"),
            f"export {function}(ptr: i32, len: i32) -> i32; a crate needs crate-type cdylib",
        )
    _must_be(exports, function, ["i32", "i32"], ["i32"])
    for name, params, result in _OPTIONAL:
        if name in exports:
            _must_be(exports, name, params, [result])
    if not isinstance(exports.get("memory"), wasmtime.MemoryType):
        raise RuleError("the module exports no memory", 'export its linear memory under the name "memory"')
    mask = mask_of(spec.kinds) if spec.kinds else ALL_KINDS if version else KIND_BY_NAME["open"].bit
    if not version and mask & ~_PATHS:
        wrong = ", ".join(kind.name for kind in KINDS if kind.bit & mask & ~_PATHS)
        raise RuleError(f"check_file_access cannot be called for {wrong}: no path", "list only kinds with a path")
    looks_up = any(one.module == _HOST_MODULE and one.name == "get_process" for one in module.imports)
    return Abi(function, not version, mask, looks_up)


def _must_be(exports: dict[str, AsExternType], name: str, params: list[str], results: list[str]) -> None:
    kind = exports[name]
    if not isinstance(kind, wasmtime.FuncType) or not _is(kind, params, results):
        raise RuleError(
            f"the export {name} has the wrong type",
            f"make it a function ({', '.join(params)}) -> {results[0]}",
        )


def _is(kind: wasmtime.FuncType, params: list[str], results: list[str]) -> bool:
    return [str(p) for p in kind.params] == params and [str(r) for r in kind.results] == results


def imports_of(module: wasmtime.Module, spec: RuleSpec, store: wasmtime.Store, shim: InstanceExports) -> list[AsExtern]:
    """What to link, in the module's order. Raises RuleError, naming the import that is not granted."""
    linked: list[AsExtern] = []
    for wanted in module.imports:
        name = f"{wanted.module}.{wanted.name}"
        if wanted.module in _WASI and isinstance(wanted.type, wasmtime.FuncType):
            environment = wanted.name == "environ_sizes_get" and _is(wanted.type, ["i32", "i32"], ["i32"])
            linked.append(shim["environ_sizes_get"] if environment else _deny(store, wanted.type))
            continue
        if wanted.module != _HOST_MODULE or wanted.name not in _HOST:
            raise RuleError(
                f"it imports {name}, which no rule is given",
                f"a rule may import {', '.join(f'{_HOST_MODULE}.{one}' for one in _HOST)}; build without the rest",
            )
        capability, params, results = _HOST[wanted.name]
        if not isinstance(wanted.type, wasmtime.FuncType) or not _is(wanted.type, params, results):
            raise RuleError(f"it imports {name} with the wrong type", f"declare it as ({', '.join(params)})"
                            + (f" -> {results[0]}" if results else ""))  # fmt: skip
        if capability not in spec.capabilities:
            raise RuleError(
                f"it imports {name} without the capability {capability}",
                f"add `capabilities: [{capability}]` to its rule.yaml",
            )
        linked.append(shim[wanted.name])
    return linked


def _deny(store: wasmtime.Store, kind: wasmtime.FuncType) -> wasmtime.Func:
    """A function of this type that fails: ENOSYS where it can return an error number, a trap otherwise."""
    params = " ".join(str(p) for p in kind.params)
    results = " ".join(str(r) for r in kind.results)
    body = f"i32.const {_ENOSYS}" if results == "i32" else "unreachable"
    text = f'(module (func (export "deny") (param {params}) (result {results}) {body}))'
    module = wasmtime.Module(store.engine, text)
    function = wasmtime.Instance(store, module, []).exports(store)["deny"]
    assert isinstance(function, wasmtime.Func)
    return function
