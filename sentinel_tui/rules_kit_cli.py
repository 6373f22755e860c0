"""`sentinel-tui rules new` and `rules build`: what a rule's author needs before there is a module."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.build import build
from sentinel_engine.rules.kit import LANGUAGES, new_rule
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.toolchain import TARGETS, BuildError, ToolchainError
from sentinel_engine.text import inert
from sentinel_tui.command import BAD, HOST, USAGE, Failure, failing_plainly


@click.command("new", epilog="Example:  sentinel-tui rules new decoy --lang wat --into my-rules")
@click.argument("name")
@click.option("--lang", "language", type=click.Choice(LANGUAGES), required=True, help="What the rule is written in.")
@click.option(
    "--into", type=click.Path(path_type=Path), default=Path(), help="The folder of your rules; default: this one."
)
def rules_new(name: str, language: str, into: Path) -> None:
    """Begin a rule: a folder NAME with a source to edit, a manifest, and tests that pass."""
    with failing_plainly():
        try:
            files = new_rule(name, language, into)
        except RuleError as error:
            raise Failure(inert(f"{error}."), USAGE) from error
    folder = shown(into / name)
    click.echo("\n".join(f"made  {shown(path)}" for path in files))
    steps = [f"sentinel-tui rules {step} {folder}" for step in ("build", "test")]
    if language == "wat":
        steps = [steps[1], f"sudo sentinel-tui --rules {folder}"]
    click.echo("next  " + "\n      ".join(steps))


@click.command("build", epilog="Example:  sudo sentinel-tui rules build my-rules/decoy")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--target", type=click.Choice(TARGETS), help="For Rust; default: the first of these that is installed.")
def rules_build(folders: tuple[Path, ...], *, target: str | None) -> None:
    """Compile these rule folders to their rule.wasm: Rust with rustc or cargo, C with clang. WAT is only checked."""
    try:
        modules = build(folders, sdk=data_dir("rules") / "sdk", target=target)
    except ToolchainError as error:
        raise Failure(str(error), HOST) from error
    except BuildError as error:
        raise Failure(_lines(str(error)), BAD) from error
    for module, warnings in modules:
        if warnings:
            click.echo(_lines(warnings), err=True)
        click.echo(f"built  {shown(module)}  {module.stat().st_size} bytes")
    click.echo("next   sentinel-tui rules test " + " ".join(shown(folder) for folder in folders))


def _lines(text: str) -> str:
    """A compiler's words, which quote the source, line by line."""
    return "\n".join(inert(line.expandtabs()) for line in text.splitlines())


def shown(path: Path) -> str:
    """This path as one can type it into a shell."""
    return inert(shlex.quote(str(path)))
