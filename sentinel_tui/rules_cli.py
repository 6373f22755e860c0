"""`sentinel-tui rules`: look at rules, check, test and build them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sentinel_engine.records import Clock
from sentinel_engine.resources import data_dir
from sentinel_engine.rules.manifest import discover, read_module
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.registry import Registry
from sentinel_engine.rules.selftest import TestResult, run_tests
from sentinel_engine.snapshot import RuleState
from sentinel_engine.text import inert
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_tui.command import BAD, common, echo_json, failing_plainly
from sentinel_tui.config import Options, merge
from sentinel_tui.rules_kit_cli import rules_build, rules_new
from sentinel_tui.rules_trial_cli import rules_bench, rules_check


@click.group()
def rules() -> None:
    """Look at rules; make, build, check and test your own."""


rules.add_command(rules_new)
rules.add_command(rules_build)
rules.add_command(rules_check)
rules.add_command(rules_bench)


@rules.command("list", epilog="Example:  sentinel-tui rules list --rules ./my-rules")
@click.option("--json", "as_json", is_flag=True, help="One JSON array, as in the summary of `watch`.")
@common
@click.pass_obj
def rules_list(outer: Options, /, *, as_json: bool, **given: Any) -> None:
    """List the rules that would run, and those that cannot, with the reason."""
    with failing_plainly():
        options = merge(given, outer)
        registry = Registry(options.rule_folders(), clock=Clock(0), policy=options.read_policy())
        registry.load()
    views = registry.views()
    registry.close()
    if as_json:
        echo_json(views)
    else:
        width = max((len(view.id) for view in views), default=0)
        for view in views:
            what = view.reason or f"{view.title}  [{' '.join(view.kinds)}]  ({view.permissions})"
            click.echo(f"{view.state:<9} {view.severity:<8} {inert(view.id):<{width}}  {inert(what)}")
    if any(view.state is RuleState.FAILED for view in views):
        sys.exit(BAD)


@rules.command("test", epilog="Example:  sentinel-tui rules test ./my-rules")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def rules_test(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """Run each rule's tests.yaml in the sandbox; without FOLDERS those of the built-in rules."""
    sandbox = Sandbox()
    results: list[tuple[str, TestResult]] = []
    with failing_plainly():
        specs, problems = discover(folders or [data_dir("rules")], builtin=not folders)
    broken = [(problem.id, f"{problem.reason}; {problem.fix}") for problem in problems]
    for spec in specs:
        try:
            found = run_tests(spec, read_module(spec), sandbox)
        except RuleError as error:
            broken.append((spec.id, str(error)))
            continue
        results += [(spec.id, result) for result in found]
        if not found:
            click.echo(f"{inert(spec.id)} has no tests; a tests.yaml beside it says what it must match", err=True)
    sandbox.close()
    _show_results(results, broken, as_json=as_json)
    if broken or not all(result.ok for _, result in results):
        sys.exit(BAD)


def _show_results(results: list[tuple[str, TestResult]], broken: list[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        rows = [(i, r.name, r.expected, r.got, r.ok, r.detail) for i, r in results]
        rows += [(i, "", "loads", "error", False, why) for i, why in broken]
        echo_json([dict(zip(("id", "name", "expected", "got", "ok", "detail"), row, strict=True)) for row in rows])
        return
    for rule_id, result in results:
        if not result.ok:
            what = f"expected {result.expected}, got {result.got} ({result.detail})"
            click.echo(f"FAIL  {inert(rule_id)}: {inert(result.name)}: {inert(what)}")
    for rule_id, reason in broken:
        click.echo(f"FAIL  {inert(rule_id)}: {inert(reason)}")
    click.echo(f"{sum(result.ok for _, result in results)} of {len(results)} tests passed")
