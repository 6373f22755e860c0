"""What a module asks for and offers: each import is a capability, each export is checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import wasmtime
from wasmtime._exportable import AsExtern
from wasmtime._instance import InstanceExports
from wasmtime._types import AsExternType

from sentinel_engine.rules.manifest import RuleSpec
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.schema import ALL_KINDS, KIND_BY_NAME, KINDS, mask_of

PAGE: Final = 65536
Exports: TypeAlias = dict[str, AsExternType]

ABI_MARKER: Final = "sentinel_abi_v1"
_HOST_MODULE: Final = "host"
_HOST: Final = {
    "log_message": ("log", ["i32", "i32"], []),
    "get_timestamp": ("clock", [], ["i64"]),
    "get_process": ("process", ["i32", "i32", "i32"], ["i32"]),
}
_OPTIONAL: Final[tuple[tuple[str, list[str], list[str]], ...]] = (
    ("_initialize", [], []),
    ("sentinel_alloc", ["i32"], ["i32"]),
    ("sentinel_config", ["i32", "i32"], ["i32"]),
    ("sentinel_snapshot", [], ["i64"]),
    ("sentinel_restore", ["i32", "i32"], ["i32"]),
)
_EXPORTED: Final = {"sentinel_config": "config", "sentinel_snapshot": "state", "sentinel_restore": "state"}
_WASI: Final = frozenset({"wasi_snapshot_preview1", "wasi_unstable"})
_ENOSYS: Final = 52
_PATHS: Final = sum(kind.bit for kind in KINDS if kind.strings[:1] in {("path",), ("exe",)})


@dataclass(frozen=True, slots=True)
class Abi:
    """How a rule is called: the export, whether it gets only the path, and which kinds it sees.

    ``uses``: the capabilities that its imports and exports make use of.
    """

    function: str
    path_only: bool
    mask: int
    uses: frozenset[str]


def abi_of(module: wasmtime.Module, spec: RuleSpec) -> Abi:
    """The ABI of this module. Raises RuleError when the exports do not fit it."""
    exports = {export.name: export.type for export in module.exports}
    for fault in _export_faults(exports, spec):
        raise fault
    version = 1 if ABI_MARKER in exports else 0
    uses = {_HOST[str(one.name)][0] for one in module.imports if one.module == _HOST_MODULE and one.name in _HOST}
    uses |= {capability for name, capability in _EXPORTED.items() if name in exports}
    return Abi(_entry(exports), not version, _mask(spec, version), frozenset(uses))


def faults(module: wasmtime.Module, spec: RuleSpec) -> Iterator[RuleError]:
    """All that keeps a module from being loaded, as far as its exports and imports tell; nothing of it runs."""
    yield from _export_faults({export.name: export.type for export in module.exports}, spec)
    for wanted in module.imports:
        if fault := _import_fault(wanted, spec):
            yield fault


def _entry(exports: Exports) -> str:
    return "sentinel_eval" if ABI_MARKER in exports else "check_file_access"


def _mask(spec: RuleSpec, version: int) -> int:
    return mask_of(spec.kinds) if spec.kinds else ALL_KINDS if version else KIND_BY_NAME["open"].bit


def _export_faults(exports: Exports, spec: RuleSpec) -> Iterator[RuleError]:
    version, function = int(ABI_MARKER in exports), _entry(exports)
    if function not in exports:
        yield RuleError(
            f"the module does not export {function}" + ("" if version else f", nor the marker {ABI_MARKER} of ABI 1"),
            f"export {function}(ptr: i32, len: i32) -> i32; a crate needs crate-type cdylib",
        )
    for name, params, results in ((function, ["i32", "i32"], ["i32"]), *_OPTIONAL):
        if name in exports and not _is_function(exports[name], params, results):
            yield RuleError(
                f"the export {name} has the wrong type",
                f"make it a function ({', '.join(params)})" + (f" -> {results[0]}" if results else ""),
            )
    if spec.config and "sentinel_config" not in exports:
        yield RuleError("there is a `config:`, but the module does not export sentinel_config", "drop one of them")
    if spec.config and "config" in spec.denied:
        yield _not_granted("it has a `config:`", "config", spec)
    yield from _memory_faults(exports, spec)
    wrong = _mask(spec, version) & ~_PATHS
    if not version and wrong:
        names = ", ".join(kind.name for kind in KINDS if kind.bit & wrong)
        yield RuleError(f"check_file_access cannot be called for {names}: no path", "list only kinds with a path")


def _memory_faults(exports: Exports, spec: RuleSpec) -> Iterator[RuleError]:
    memory = exports.get("memory")
    if not isinstance(memory, wasmtime.MemoryType):
        yield RuleError("the module exports no memory", 'export its linear memory under the name "memory"')
        return
    first, most, limit = memory.limits.min, memory.limits.max, spec.limits.memory_bytes // PAGE
    if first > limit:
        yield RuleError(
            f"its memory begins with {first * PAGE} bytes, which is over its limit of {spec.limits.memory_bytes}",
            "declare less, or raise limits.memory_bytes",
        )
    elif "sentinel_alloc" not in exports and first + 1 > min(limit, limit if most is None else most):
        yield no_room()


def no_room() -> RuleError:
    """What a module is told that has no page left for its input, declared so or by what it took at its start."""
    return RuleError(
        "its memory cannot grow by the one page its input needs",
        "raise the memory's maximum (or limits.memory_bytes), or export sentinel_alloc",
    )


def _is_function(kind: AsExternType, params: list[str], results: list[str]) -> bool:
    return (
        isinstance(kind, wasmtime.FuncType)
        and [str(p) for p in kind.params] == params
        and [str(r) for r in kind.results] == results
    )


def imports_of(module: wasmtime.Module, spec: RuleSpec, store: wasmtime.Store, shim: InstanceExports) -> list[AsExtern]:
    """What to link, in the module's order. Raises RuleError, naming the import that is not granted."""
    linked: list[AsExtern] = []
    for wanted in module.imports:
        if fault := _import_fault(wanted, spec):
            raise fault
        if wanted.module == _HOST_MODULE or _is_environment(wanted):
            linked.append(shim[str(wanted.name)])
        else:
            assert isinstance(wanted.type, wasmtime.FuncType)
            linked.append(_deny(store, wanted.type))
    return linked


def _is_environment(wanted: wasmtime.ImportType) -> bool:
    return wanted.name == "environ_sizes_get" and _is_function(wanted.type, ["i32", "i32"], ["i32"])


def _import_fault(wanted: wasmtime.ImportType, spec: RuleSpec) -> RuleError | None:
    name = f"{wanted.module}.{wanted.name}"
    if wanted.module in _WASI and isinstance(wanted.type, wasmtime.FuncType):
        return None
    if wanted.module != _HOST_MODULE or wanted.name not in _HOST:
        return RuleError(
            f"it imports {name}, which no rule is given",
            f"a rule may import {', '.join(f'{_HOST_MODULE}.{one}' for one in _HOST)}; build without the rest",
        )
    capability, params, results = _HOST[wanted.name]
    if not _is_function(wanted.type, params, results):
        return RuleError(f"it imports {name} with the wrong type", f"declare it as ({', '.join(params)})"
                         + (f" -> {results[0]}" if results else ""))  # fmt: skip
    if capability in spec.denied:
        return _not_granted(f"it imports {name}", capability, spec)
    if capability not in spec.capabilities:
        return RuleError(
            f"it imports {name} without the capability {capability}",
            f"add `capabilities: [{capability}]` to its rule.yaml",
        )
    return None


def _not_granted(what: str, capability: str, spec: RuleSpec) -> RuleError:
    return RuleError(
        f"{what}, for which it needs the capability {capability}, which the policy does not grant", spec.grant_hint
    )


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
