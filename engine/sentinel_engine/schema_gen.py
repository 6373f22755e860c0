"""Writes the files that mirror schema.py for other languages: ``python -m sentinel_engine.schema_gen``.

bpf/events.h for the kernel side; schema_sdk.py has what rules in Rust and C read.
"""

from __future__ import annotations

from pathlib import Path

from sentinel_engine import schema
from sentinel_engine.collector.syscalls import CALLS, SOCKETCALL_BASE, TABLE_SIZE
from sentinel_engine.export.document import json_schema
from sentinel_engine.resources import data_dir
from sentinel_engine.schema_sdk import record_h, record_rs


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


def generated() -> dict[Path, str]:
    """Every generated file and the text it must have."""
    return {
        data_dir("bpf") / "events.h": events_h(),
        data_dir("rules") / "sdk" / "src" / "record.rs": record_rs(),
        data_dir("rules") / "sdk" / "record.h": record_h(),
        Path(__file__).with_name("export.schema.json"): json_schema(),
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
