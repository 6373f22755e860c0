"""`rules check` and `rules bench`: what is wrong with a rule, and what it costs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.bench import Cost, cost, trial
from sentinel_engine.rules.check import check
from sentinel_engine.rules.manifest import RuleError, discover
from sentinel_engine.text import inert
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_tui.command import BAD, echo_json, failing_plainly
from sentinel_tui.widgets.figures import size


@click.command("check", epilog="Example:  sentinel-tui rules check ./my-rules")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def rules_check(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """Say all that is wrong with the rules in these folders, and how to correct it; nothing of a wrong one runs."""
    sandbox = Sandbox()
    with failing_plainly():
        reports = check(folders, sandbox)
    sandbox.close()
    if as_json:
        echo_json([
            {
                "path": str(report.path), "id": report.id, "ok": not report.problems,
                "problems": [{"reason": problem.reason, "fix": problem.fix} for problem in report.problems],
            }
            for report in reports
        ])  # fmt: skip
    else:
        for report in reports:
            click.echo(f"{'FAIL' if report.problems else 'ok  '}  {inert(report.id)}  {inert(str(report.path))}")
            for problem in report.problems:
                click.echo(f"      {inert(problem.reason)}\n      fix: {inert(problem.fix)}")
        if not reports:
            click.echo("there is no rule in there; `sentinel-tui rules new` begins one")
    if any(report.problems for report in reports):
        sys.exit(BAD)


@click.command("bench", epilog="Example:  sentinel-tui rules bench ./my-rules --events 100000")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option("--events", type=click.IntRange(1, 10_000_000), default=20_000, help="How many events to run over.")
@click.option("--recording", type=click.Path(path_type=Path), help="Run over the events of this recording.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def rules_bench(folders: tuple[Path, ...], *, events: int, recording: Path | None, as_json: bool) -> None:
    """Measure what rules cost for each event they are asked about; without FOLDERS the built-in ones.

    Over the events of a rule's own tests, repeated, or of the demo's recording when it has none. Fuel counts
    instructions: it is the same on any machine.
    """
    default = data_dir("rules") / "demo.rec"
    with failing_plainly():
        specs, problems = discover(folders or [data_dir("rules")], builtin=not folders)
    sandbox, fueled = Sandbox(), Sandbox(fuel=True)
    costs: list[tuple[Cost, str]] = []
    refused = [(problem.id, f"{problem.reason}; {problem.fix}") for problem in problems]
    for spec in specs:
        try:
            over = trial(spec, events, recording, default)
            costs.append((cost(spec, sandbox, fueled, over), over.source))
        except RuleError as error:
            refused.append((spec.id, str(error)))
    sandbox.close()
    fueled.close()
    _show(costs, refused, as_json=as_json)
    if refused:
        sys.exit(BAD)


def _show(costs: list[tuple[Cost, str]], refused: list[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        echo_json([one for one, _ in costs])
    else:
        width = max([4, *(len(one.id) for one, _ in costs)])
        click.echo(f"{'rule':<{width}}  {'ns/event':>9}  {'fuel/event':>10}  {'memory':>6}  over")
        for one, source in costs:
            figures = f"{one.ns_per_event:>9.1f}  {one.fuel_per_event:>10.2f}  {size(one.memory_bytes):>6}"
            click.echo(f"{inert(one.id):<{width}}  {figures}  {inert(source)}")
    for rule_id, why in refused:
        click.echo(f"FAIL  {inert(rule_id)}: {inert(why)}", err=True)
