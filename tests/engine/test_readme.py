"""What the README tells a newcomer to type is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sentinel_engine.records import Clock, batch_of, encode
from sentinel_engine.rules.registry import Registry
from sentinel_engine.schema import HEADER, KIND_BY_NAME, KINDS

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_first_rule_matches_what_the_text_says(tmp_path: Path) -> None:
    (module,) = re.findall(r"```wat\n(.*?)```", README, re.DOTALL)
    (tmp_path / "hosts.wat").write_text(module)
    registry = Registry([(tmp_path, False)], clock=Clock(0))
    registry.load()
    paths = (b"/etc/hosts", b"/etc/hosts.allow", b"/etc/passwd", b"/usr/hosts")
    verdicts = registry.run(batch_of([encode(KIND_BY_NAME["open"], strings=(path,)) for path in paths]))
    assert [verdict.index for verdict in verdicts] == [0]
    registry.close()


def test_every_command_and_option_it_names_exists() -> None:
    commands = set(re.findall(r"^sentinel-tui (\w+)", README, re.MULTILINE))
    assert {"demo", "watch", "export", "sessions", "rules", "doctor"} <= commands
    program = Path(sys.executable).with_name("sentinel-tui")
    shown = ""
    for command in [[], *([command] for command in commands)]:
        shown += subprocess.run([str(program), *command, "--help"], check=True, capture_output=True, text=True).stdout
    for option in re.findall(r"`(--[a-z-]+)", README):
        assert option in shown, option


def test_the_picture_is_one_that_the_tests_keep() -> None:
    (picture,) = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert (Path(__file__).parents[2] / picture.replace("%5B", "[").replace("%5D", "]")).is_file()


def test_the_engine_needs_no_console() -> None:
    code = (
        "import sys; sys.modules['textual'] = sys.modules['click'] = sys.modules['sentinel_tui'] = None;"
        "import sentinel_engine.pipeline, sentinel_engine.collector.live, sentinel_engine.rules.selftest"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_abi_page_has_the_layout_of_the_schema() -> None:
    page = (Path(__file__).parents[2] / "engine" / "README.md").read_text()
    for field in HEADER:
        assert f"| {field.offset} | {field.ctype} | `{field.name}` | {field.doc} |" in page
    for kind in KINDS:
        row = f"| {kind.number} | `{kind.name}` | {', '.join(kind.args) or '–'} | {', '.join(kind.strings) or '–'} |"
        assert row in page
