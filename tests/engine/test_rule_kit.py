"""What a rule's author gets: templates that pass their tests, an SDK true to each kind, errors that say what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_engine.records import Batch, Clock, batch_of, encode
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.build import build
from sentinel_engine.rules.event_yaml import encode_event
from sentinel_engine.rules.kit import LANGUAGES, new_rule
from sentinel_engine.rules.manifest import load_spec, read_module
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.registry import Registry
from sentinel_engine.rules.selftest import TestResult, run_tests
from sentinel_engine.rules.toolchain import TARGETS, ToolchainError, find_clang, find_rust
from sentinel_engine.schema import KINDS, Kind
from sentinel_engine.wasm.sandbox import Sandbox
from tests.engine.wasm_kit import Bench

SDK = data_dir("rules") / "sdk"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


def _built(folder: Path, target: str | None = None) -> None:
    """Build this folder, or skip where the compiler for it is missing."""
    try:
        build([folder], sdk=SDK, target=target)
    except ToolchainError as error:
        pytest.skip(str(error))


def _tested(folder: Path, sandbox: Sandbox) -> list[TestResult]:
    spec = load_spec(folder, builtin=False)
    return run_tests(spec, read_module(spec), sandbox)


def _type(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("sentinel-tui")
    return subprocess.run(
        [program, "rules", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_rule_builds_and_passes_its_tests(language: str, tmp_path: Path, sandbox: Sandbox) -> None:
    made = _type("new", "decoy", "--lang", language, "--into", tmp_path / "my-rules")
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "my-rules" / "decoy"
    assert sorted(map(str, (path for path in folder.rglob("*") if path.is_file()))) == sorted(
        line.split()[1] for line in made.stdout.splitlines() if line.startswith("made")
    )
    _built(folder)
    results = _tested(folder, sandbox)
    assert [result.ok for result in results] == [True] * 3
    assert {result.expected for result in results} == {"match", "no-match"}


def test_what_is_made_is_only_the_owners_to_change(tmp_path: Path) -> None:
    for umask in (0o000, 0o077):
        before = os.umask(umask)
        try:
            files = new_rule(f"decoy-{umask}", "rust", tmp_path / "my-rules")
        finally:
            os.umask(before)
        assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "my-rules").rglob("*") if path.is_dir()} == {0o755}
        assert (tmp_path / "my-rules").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc/x", "Upper", "sdk", "target", ".hidden", "a" * 65, "a\n", "é"])
def test_a_name_that_is_no_rule_id_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="is no rule id"):
        new_rule(name, "wat", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file", "link", "dangling"])
def test_nothing_that_is_there_is_touched(kind: str, tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "decoy", tmp_path / "elsewhere"
    match kind:
        case "folder":
            place.mkdir()
        case "file":
            place.write_text("mine")
        case "link":
            elsewhere.mkdir()
            place.symlink_to(elsewhere)
        case "dangling":
            place.symlink_to(elsewhere)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RuleError, match="already there"):
        new_rule("decoy", "wat", tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_another_may_bend_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(RuleError, match="symbolic link; name another folder with --into"):
        new_rule("decoy", "wat", tmp_path / "link")
    if os.geteuid() == 0:
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o777)
        with pytest.raises(RuleError, match="written by other users"):
            new_rule("decoy", "wat", tmp_path / "open")
        assert list((tmp_path / "open").iterdir()) == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_example_of_each_kind_finds_what_it_says(target: str, tmp_path: Path, sandbox: Sandbox) -> None:
    folder = Path(shutil.copytree(SDK / "examples" / "every-kind", tmp_path / "every-kind"))
    _built(folder, target)
    results = _tested(folder, sandbox)
    assert [result for result in results if not result.ok] == []
    assert [result.name for result in results if result.expected == "match"] == [kind.name for kind in KINDS]
    assert [result.name.split(" ")[0] for result in results if result.expected == "no-match"] == [
        kind.name for kind in KINDS
    ]


def _record(kind: Kind, changed: str = "") -> bytes:
    """A record of this kind whose every field differs from the others; the field named has yet another value."""
    args = tuple(1 << 40 | 7 * place + (name == changed) for place, name in enumerate(kind.args))
    strings = tuple(f"{name}{'!' if name == changed else '.'}".encode() for name in kind.strings)
    return encode(kind, args=args, strings=strings, tgid=11, comm=b"test", ret=-13)


def test_the_c_header_reads_each_field_of_each_kind(tmp_path: Path) -> None:
    folder = tmp_path / "fields"
    new_rule("fields", "c", tmp_path)
    cases = []
    for kind in KINDS:
        tests = [
            f"sentinel_{kind.name}_{name}(event) == (1ULL << 40 | {7 * n})" for n, name in enumerate(kind.args)
        ] + [f'sentinel_equal(sentinel_{kind.name}_{name}(event), SENTINEL_TEXT("{name}."))' for name in kind.strings]
        cases.append(f"\tcase SENTINEL_{kind.name.upper()}:\n\t\treturn {' && '.join(tests)};")
    (folder / "src" / "rule.c").write_text(
        "#include <sentinel.h>\nstatic int check(const struct sentinel_event *event)\n{\n"
        "\tif (event->tgid != 11 || !sentinel_denied(event))\n\t\treturn -1;\n"
        '\tif (!sentinel_equal(sentinel_comm(event), SENTINEL_TEXT("test")))\n\t\treturn -1;\n'
        "\tswitch (event->kind) {\n" + "\n".join(cases) + "\n\t}\n\treturn 0;\n}\nSENTINEL_RULE(check)\n"
    )
    _built(folder)
    bench = Bench()
    rule = bench.load((folder / "rule.wasm").read_bytes())
    whole, changed = (
        [_record(kind) for kind in KINDS],
        [_record(k, field) for k in KINDS for field in k.args + k.strings],
    )
    matches, failures = bench.run(rule, batch_of(whole + changed))
    assert failures == []
    assert [match.index for match in matches] == list(range(len(KINDS)))
    bench.sandbox.close()


def test_the_c_helpers_over_strings_and_the_host(tmp_path: Path) -> None:
    new_rule("helpers", "c", tmp_path)
    folder = tmp_path / "helpers"
    (folder / "src" / "rule.c").write_text("""#include <sentinel.h>
static int wanted;

static int configure(struct sentinel_text json)
{
	wanted = sentinel_equal(json, SENTINEL_TEXT("[1]"));
	return wanted - 1;
}

static int check(const struct sentinel_event *event)
{
	struct sentinel_text path = sentinel_open_path(event);
	if (!wanted || sentinel_timestamp() == 0 || sentinel_contains(path, SENTINEL_TEXT("absent")))
		return -1;
	sentinel_log(path.at, path.len);
	return sentinel_starts_with(path, SENTINEL_TEXT("/a")) + 2 * sentinel_ends_with(path, SENTINEL_TEXT("/z")) +
		4 * sentinel_contains(path, SENTINEL_TEXT("mm")) + 8 * sentinel_contains(path, SENTINEL_TEXT(""));
}

SENTINEL_RULE(check)
SENTINEL_CONFIG(configure)
""")
    _built(folder)
    bench = Bench()
    rule = bench.load((folder / "rule.wasm").read_bytes(), config=b"[1]")
    paths = (b"/a", b"/q/z", b"/amm", b"mm/z", b"", b"m")
    matches, failures = bench.run(rule, _opens(*paths))
    assert failures == []
    assert [match.score for match in matches] == [9, 10, 13, 14, 8, 8]
    assert [match.logs for match in matches] == [(path,) for path in paths]
    bench.sandbox.close()


C_RULE_WITH_STATE = """#include <sentinel.h>
static uint32_t seen[WORDS];

static int check(const struct sentinel_event *event)
{
	static struct sentinel_process own, parent;
	if (!sentinel_find(event->tgid, &own) || !sentinel_find(own.event.ppid, &parent))
		return 0;
	seen[0]++;
	return sentinel_equal(sentinel_exec_exe(&parent.event), SENTINEL_TEXT("/usr/sbin/nginx")) ? (int)seen[0] : 0;
}

SENTINEL_RULE(check)
SENTINEL_STATE(seen)
"""


def test_a_rule_in_c_looks_processes_up_and_keeps_its_state_over_a_reload(tmp_path: Path) -> None:
    (source,) = (path for path in new_rule("below-nginx", "c", tmp_path / "rules") if path.suffix == ".c")
    folder = tmp_path / "rules" / "below-nginx"
    (folder / "tests.yaml").unlink()

    def write(version: int, words: int) -> None:
        source.write_text(C_RULE_WITH_STATE.replace("WORDS", str(words)))
        (folder / "rule.yaml").write_text(
            f'version: "{version}"\ntitle: t\nseverity: low\nkinds: [connect]\ncapabilities: [process, state]\n'
        )
        _built(folder)

    def scores() -> list[int]:
        connects = [encode_event({"kind": "connect", "pid": pid, "ppid": 5}, order=9) for pid in (6, 5, 77, 6)]
        return [verdict.score for verdict in registry.run(batch_of(connects))]

    write(version=1, words=2)
    registry = Registry([(tmp_path / "rules", False)], clock=Clock(0))
    registry.load()
    nginx, shell = {"pid": 5, "exe": "/usr/sbin/nginx"}, {"pid": 6, "ppid": 5, "exe": "/bin/sh"}
    registry.run(batch_of([encode_event({"kind": "exec", **fields}) for fields in (nginx, shell)]))
    assert scores() == [1, 2]
    write(version=2, words=2)
    assert "it keeps its state" in registry.apply(registry.workshop.look(folder)).said
    assert scores() == [3, 4]
    write(version=3, words=3)
    registry.apply(registry.workshop.look(folder))
    assert scores() == [1, 2]  # of another size: anew
    registry.close()


def _opens(*paths: bytes) -> Batch:
    kind = next(kind for kind in KINDS if kind.name == "open")
    return batch_of([encode(kind, strings=(path,)) for path in paths])


@pytest.mark.parametrize(
    ("language", "source", "text", "said"),
    [
        ("rust", "src/lib.rs", "fn broken(", "rustc refused"),
        ("c", "src/rule.c", "int broken(", "clang refused"),
        ("c", "src/rule.c", "void *memchr(void); int x; void f(void) { memchr(); }", "refused"),
        ("wat", "rule.wat", "(module (func (result i32)))", "rule.wat is no module"),
        ("rust", "Cargo.toml", "[package]\nname = 1", "cargo refused"),
    ],
)
def test_what_does_not_compile_is_said_and_leaves_the_old_module(
    language: str, source: str, text: str, said: str, tmp_path: Path
) -> None:
    new_rule("broken", language, tmp_path)
    (tmp_path / "broken" / "rule.wasm").write_bytes(b"old")
    (tmp_path / "broken" / source).write_text(text + "\n\x1b]0;title\x07")
    result = _type("build", tmp_path / "broken")
    if result.returncode == 3:
        pytest.skip(result.stderr)
    assert result.returncode == 1
    assert said in result.stderr
    assert "\x1b" not in result.stderr
    assert (tmp_path / "broken" / "rule.wasm").read_bytes() == b"old"


def test_warnings_are_shown_beside_the_module(tmp_path: Path) -> None:
    for language, source in (("rust", "src/lib.rs"), ("c", "src/rule.c")):
        new_rule(language, language, tmp_path)
        with (tmp_path / language / source).open("a") as file:
            file.write({"rust": "fn unused() {}\n", "c": "static void unused(void) {}\n"}[language])
        result = _type("build", tmp_path / language)
        if result.returncode == 3:
            pytest.skip(result.stderr)
        assert result.returncode == 0, result.stderr
        assert "unused" in result.stderr
        assert result.stdout.startswith("built")


def test_a_source_that_another_may_change_is_not_compiled(tmp_path: Path) -> None:
    new_rule("linked", "rust", tmp_path)
    source = tmp_path / "linked" / "src" / "lib.rs"
    source.rename(tmp_path / "elsewhere.rs")
    source.symlink_to(tmp_path / "elsewhere.rs")
    result = _type("build", tmp_path / "linked")
    assert (result.returncode, "symbolic link" in result.stderr) == (1, True)
    if os.geteuid() == 0:
        new_rule("shared", "c", tmp_path)
        (tmp_path / "shared" / "src" / "rule.c").chmod(0o666)
        result = _type("build", tmp_path / "shared")
        assert (result.returncode, "written by other users" in result.stderr) == (1, True)


def test_without_a_source_it_says_how_to_begin(tmp_path: Path) -> None:
    result = _type("build", tmp_path)
    assert result.returncode == 1
    assert "`sentinel-tui rules new` begins a rule" in result.stderr


def test_a_missing_compiler_is_named_with_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_rule("decoy", "c", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    result = _type("build", tmp_path / "decoy")
    assert result.returncode == 3, result.stderr
    assert "no clang here" in result.stderr
    assert "apt install clang lld" in result.stderr


def test_a_clang_without_a_linker_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real clang, alone on PATH and away from the folder where it would find its linker."""
    try:
        clang = find_clang()
    except ToolchainError as error:
        pytest.skip(str(error))
    shutil.copy(clang.resolve(), tmp_path / "clang")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"finds no wasm-ld to link with; .*apt install clang lld"):
        find_clang()


def test_a_target_that_is_not_installed_is_named_with_both_fixes(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = [target for target in TARGETS if _missing(target)]
    if not missing:
        pytest.skip("all targets are installed here")
    with pytest.raises(ToolchainError, match=rf"apt install rustc .*; with rustup: rustup target add {missing[0]}\."):
        find_rust(missing[0])


def _missing(target: str) -> bool:
    try:
        return find_rust(target).target != target
    except ToolchainError:
        return True


def test_the_headers_compile_without_a_warning(tmp_path: Path) -> None:
    new_rule("decoy", "c", tmp_path)
    source = tmp_path / "decoy" / "src" / "rule.c"
    try:
        clang = str(find_clang())
    except ToolchainError as error:
        pytest.skip(str(error))
    for standard in ("c11", "c2x"):
        command = [clang, "--target=wasm32", f"-std={standard}", "-ffreestanding", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*command, "-pedantic", f"-I{SDK}", "-fsyntax-only", str(source)], check=True)
