"""Writes the files that mirror schema.py for other languages: ``python -m sentinel_engine.schema_gen``.

bpf/events.h for the kernel side, rules/sdk/src/record.rs for rules in Rust.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sentinel_engine import schema
from sentinel_engine.collector.syscalls import CALLS, SOCKETCALL_BASE, TABLE_SIZE
from sentinel_engine.resources import data_dir
from sentinel_engine.session import json_schema


def events_h() -> str:
    """The text of bpf/events.h."""
    lines = [
        "// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only",
        "// Generated from sentinel_engine/schema.py by `make schema`: do not edit.",
        "#ifndef SENTINEL_EVENTS_H",
        "#define SENTINEL_EVENTS_H",
        "",
        f"#define RECORD_VERSION {schema.RECORD_VERSION}",
        f"#define HEADER_SIZE {schema.HEADER_SIZE}",
        f"#define MAX_PATH {schema.MAX_PATH}",
        f"#define MAX_ARGV {schema.MAX_ARGV}",
        f"#define MAX_RECORD {schema.MAX_RECORD}",
        f"#define KIND_SLOTS {schema.KIND_SLOTS}",
        f"#define LAST_KIND {max(kind.number for kind in schema.KINDS)}",
        f"#define CALL_SLOTS {TABLE_SIZE}",
        f"#define SOCKETCALL_BASE {SOCKETCALL_BASE}",
        f"#define EXE_MEMFD {schema.EXE_MEMFD}",
        f"#define EXE_DELETED {schema.EXE_DELETED}",
        "",
        "struct event {",
        *(f"\t{_declare(field)}; // {field.doc}" for field in schema.HEADER),
        "};",
        "",
        "enum record_flag {",
        *(f"\tFLAG_{flag.name} = {flag.value}," for flag in schema.RecordFlag),
        "};",
        "",
        "enum event_kind {",
        *(f"\tEVENT_{kind.name.upper()} = {kind.number},{_slots(kind)}" for kind in schema.KINDS),
        "};",
        "",
        "enum event_ring {",
        *(f"\tRING_{ring.name} = {ring.value}," for ring in schema.Ring),
        f"\tRINGS = {len(schema.Ring)},",
        "};",
        f"#define BULK_KINDS {_mask(schema.Ring.BULK):#x}ULL",
        "",
        "enum call_id {",
        *(f"\tCALL_{call.name} = {number}," for number, call in enumerate(CALLS, start=1)),
        "};",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def _declare(field: schema.HeaderField) -> str:
    base, _, array = field.ctype.partition("[")
    return f"{base} {field.name}[{array}" if array else f"{base} {field.name}"


def _slots(kind: schema.Kind) -> str:
    words = [*(f"a[{place}] {name}" for place, name in enumerate(kind.args))]
    words += [f"s[{place}] {name}" for place, name in enumerate(kind.strings)]
    return " // " + ", ".join(words) if words else ""


def _mask(ring: schema.Ring) -> int:
    return sum(kind.bit for kind in schema.KINDS if kind.ring is ring)


def record_rs() -> str:
    """The text of rules/sdk/src/record.rs: constants, header fields, and one view for each kind."""
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated from sentinel_engine/schema.py by `make schema`: do not edit.",
        "use crate::Event;",
        "",
        f"pub const HEADER_SIZE: usize = {schema.HEADER_SIZE};",
        f"pub const MAX_PATH: usize = {schema.MAX_PATH};",
        f"pub const MAX_RECORD: usize = {schema.MAX_RECORD};",
        *(f"pub const FLAG_{flag.name}: u8 = {flag.value};" for flag in schema.RecordFlag),
        f"pub const EXE_MEMFD: u64 = {schema.EXE_MEMFD};",
        f"pub const EXE_DELETED: u64 = {schema.EXE_DELETED};",
        *(f"pub(crate) const {name.upper()}_AT: usize = {_offset(name)};" for name in ("kind", "comm", "a", "slen")),
        "",
        "impl<'a> Event<'a> {",
        *(line for field in schema.HEADER if field.ctype in _RUST_TYPES for line in _rust_field(field)),
        "    /// What happened, with the fields that this kind of event has.",
        "    #[inline]",
        "    pub fn kind(&self) -> Kind<'a> {",
        "        match self.number() {",
        *(
            f"            {kind.number} => Kind::{_camel(kind.name)}({_camel(kind.name)}(*self)),"
            for kind in schema.KINDS
        ),
        "            _ => Kind::Unknown,",
        "        }",
        "    }",
        "}",
        "",
        "/// An event by kind. `Unknown` is a kind that is newer than this SDK.",
        "#[derive(Clone, Copy)]",
        "pub enum Kind<'a> {",
        *(f"    {_camel(kind.name)}({_camel(kind.name)}<'a>)," for kind in schema.KINDS),
        "    Unknown,",
        "}",
        *(line for kind in schema.KINDS for line in _rust_view(kind)),
    ]
    return "\n".join(lines) + "\n"


_RUST_TYPES: Final = {"u8": "u8", "u32": "u32", "u64": "u64", "s64": "i64"}


def _offset(name: str) -> int:
    return next(field.offset for field in schema.HEADER if field.name == name)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _rust_field(field: schema.HeaderField) -> list[str]:
    rust = _RUST_TYPES[field.ctype]
    return [
        f"    /// {field.doc[:1].upper()}{field.doc[1:]}.",
        "    #[inline]",
        f"    pub fn {field.name}(&self) -> {rust} {{",
        f"        {rust}::from_le_bytes(self.bytes({field.offset}))",
        "    }",
    ]


def _rust_view(kind: schema.Kind) -> list[str]:
    name = _camel(kind.name)
    getters = [(field, "u64", f"arg({place})") for place, field in enumerate(kind.args)]
    getters += [(field, "&'a [u8]", f"string({place})") for place, field in enumerate(kind.strings)]
    lines = ["", f"/// `{kind.name}`: its fields are described in bpf/README.md.", "#[derive(Clone, Copy)]"]
    lines += [f"pub struct {name}<'a>(pub Event<'a>);"]
    if getters:
        lines += ["", f"impl<'a> {name}<'a> {{"]
        for field, rust, source in getters:
            lines += ["    #[inline]", f"    pub fn {field}(&self) -> {rust} {{", f"        self.0.{source}", "    }"]
        lines += ["}"]
    return lines


def generated() -> dict[Path, str]:
    """Every generated file and the text it must have."""
    return {
        data_dir("bpf") / "events.h": events_h(),
        data_dir("rules") / "sdk" / "src" / "record.rs": record_rs(),
        Path(__file__).with_name("export.schema.json"): json_schema(),
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
