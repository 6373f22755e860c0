"""The SDK's mirrors of schema.py: record.rs for rules in Rust, record.h for rules in C."""

from __future__ import annotations

import re
import textwrap
from typing import Final

from sentinel_engine import schema
from sentinel_engine.resources import data_dir


def record_rs() -> str:
    """The text of rules/sdk/src/record.rs: constants, header fields, and one view for each kind.

    Raises KeyError when sdk/examples/every-kind leaves a kind out.
    """
    examples = _rust_examples()
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
        "/// An event by kind, each with an example from the rule `sdk/examples/every-kind`. What each field holds:",
        "/// bpf/README.md. `Unknown` is a kind that is newer than this SDK.",
        "#[derive(Clone, Copy)]",
        "pub enum Kind<'a> {",
        *(f"    {_camel(kind.name)}({_camel(kind.name)}<'a>)," for kind in schema.KINDS),
        "    Unknown,",
        "}",
        *(line for kind in schema.KINDS for line in _rust_view(kind, examples[_camel(kind.name)])),
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


def _rust_examples() -> dict[str, tuple[str, list[str]]]:
    """By the name of its view: what the example for a kind finds, and the lines of its arm."""
    source = (data_dir("rules") / "sdk" / "examples" / "every-kind" / "src" / "lib.rs").read_text()
    found = re.findall(r"^ {8}// (.*)\n((?: {8}.*\n)+?)(?= {8}(?://|_ ))", source, re.MULTILINE)
    arms = [(what, textwrap.dedent(arm).splitlines()) for what, arm in found]
    return {arm[0].removeprefix("Kind::").partition("(")[0]: (what, arm) for what, arm in arms}


def _rust_view(kind: schema.Kind, example: tuple[str, list[str]]) -> list[str]:
    name = _camel(kind.name)
    getters = [(field, "u64", f"arg({place})") for place, field in enumerate(kind.args)]
    getters += [(field, "&'a [u8]", f"string({place})") for place, field in enumerate(kind.strings)]
    what, arm = example
    lines = ["", f"/// `{kind.name}`. {what}", "///", "/// ```ignore", *(f"/// {line}" for line in arm), "/// ```"]
    lines += ["#[derive(Clone, Copy)]"]
    lines += [f"pub struct {name}<'a>(pub Event<'a>);"]
    if getters:
        lines += ["", f"impl<'a> {name}<'a> {{"]
        for field, rust, source in getters:
            lines += ["    #[inline]", f"    pub fn {field}(&self) -> {rust} {{", f"        self.0.{source}", "    }"]
        lines += ["}"]
    return lines


def record_h() -> str:
    """The text of rules/sdk/record.h: constants, the record, and an accessor for each field of each kind."""
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        "// Generated from sentinel_engine/schema.py by `make schema`: do not edit.",
        "#ifndef SENTINEL_RECORD_H",
        "#define SENTINEL_RECORD_H",
        "",
        "#include <stdint.h>",
        "",
        *(f"#define SENTINEL_MAX_{name} {getattr(schema, f'MAX_{name}')}" for name in ("PATH", "ARGV", "RECORD")),
        "",
        "// Bits of `flags`.",
        *(f"#define SENTINEL_FLAG_{flag.name} {flag.value}" for flag in schema.RecordFlag),
        "// Bits of exec's exe_flags.",
        f"#define SENTINEL_EXE_MEMFD {schema.EXE_MEMFD}",
        f"#define SENTINEL_EXE_DELETED {schema.EXE_DELETED}",
        "",
        "// The values of `kind`.",
        "enum {",
        *(f"\tSENTINEL_{kind.name.upper()} = {kind.number}," for kind in schema.KINDS),
        "};",
        "",
        "// One event. Its strings lie behind it, and are read with the functions of its kind.",
        "struct sentinel_event {",
        *(f"\t{_c_field(field)}; // {field.doc}" for field in schema.HEADER),
        "};",
        f'_Static_assert(sizeof(struct sentinel_event) == {schema.HEADER_SIZE}, "the layout of the record");',
        _C_STRING,
        *(line for kind in schema.KINDS for line in _c_accessors(kind)),
        "#endif",
    ]
    return "\n".join(lines) + "\n"


_C_TYPES: Final = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "s64": "int64_t"}
_C_STRING: Final = """
// A string of an event: bytes as the kernel gave them, without a zero at the end.
struct sentinel_text {
\tconst char *at;
\tuint32_t len;
};

static inline struct sentinel_text sentinel_string(const struct sentinel_event *event, int slot)
{
\tconst char *at = (const char *)(event + 1);
\tfor (int before = 0; before < slot; before++)
\t\tat += event->slen[before];
\treturn (struct sentinel_text){at, event->slen[slot]};
}

// The fields of each kind. What they hold is in bpf/README.md.
"""


def _c_field(field: schema.HeaderField) -> str:
    base, bracket, array = field.ctype.partition("[")
    return f"{_C_TYPES.get(base, base)} {field.name}{bracket}{array}"


def _c_accessors(kind: schema.Kind) -> list[str]:
    getters = [(name, "uint64_t", f"event->a[{place}]") for place, name in enumerate(kind.args)]
    getters += [
        (name, "struct sentinel_text", f"sentinel_string(event, {place})") for place, name in enumerate(kind.strings)
    ]
    return [
        line
        for name, result, value in getters
        for line in (
            f"static inline {result} sentinel_{kind.name}_{name}(const struct sentinel_event *event)",
            "{",
            f"\treturn {value};",
            "}",
            "",
        )
    ]
