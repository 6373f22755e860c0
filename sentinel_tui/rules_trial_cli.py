"""`rules check` and `rules bench`: what is wrong with a rule, and what it costs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sentinel_engine.resources import data_dir
from sentinel_engine.rules.bench import Cost, NoEventsError, RuleBench
from sentinel_engine.rules.check import check
from sentinel_engine.rules.manifest import discover
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.text import inert
from sentinel_engine.wasm.sandbox import Sandbox
from sentinel_tui.command import BAD, echo_json, failing_plainly
from sentinel_tui.widgets.figures import size


@click.command("check", epilog="Example:  sentinel-tui rules check ./my-rules")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def rules_check(folders: tuple[Path, ...], *, as_json: bool) -> None:
    """Say all that is wrong with the rules in these folders, and how to correct it; nothing of a wrong one runs.

    What only looks wrong (a module older than its source, a file that is not read) is a warning, and no failure.
    """
    sandbox = Sandbox()
    with failing_plainly():
        reports = check(folders, sandbox)
    sandbox.close()
    if as_json:
        echo_json([
            {
                "path": str(report.path), "id": report.id, "ok": not report.problems,
                "problems": [
                    *({"reason": problem.reason, "fix": problem.fix} for problem in report.problems),
                    *({"reason": f"warning: {one.reason}", "fix": one.fix} for one in report.warnings),
                ],
            }
            for report in reports
        ])  # fmt: skip
    else:
        for report in reports:
            verdict = "FAIL" if report.problems else "warn" if report.warnings else "ok  "
            click.echo(f"{verdict}  {inert(report.id)}  {inert(str(report.path))}")
            for problem in (*report.problems, *report.warnings):
                click.echo(f"      {inert(problem.reason)}\n      fix: {inert(problem.fix)}")
        if not reports:
            click.echo("there is no rule in there; `sentinel-tui rules new` begins one")
    if any(report.problems for report in reports):
        sys.exit(BAD)


@click.command("bench", epilog="Example:  sentinel-tui rules bench ./my-rules --events 100000 --recording attack.rec")
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--events", type=click.IntRange(1, 10_000_000), default=20_000, show_default=True,
    help="About how many to run over, seven times; of them are as many as there are, over and over.",
)  # fmt: skip
@click.option("--recording", type=click.Path(path_type=Path), help="Run over the events of this recording.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def rules_bench(folders: tuple[Path, ...], *, events: int, recording: Path | None, as_json: bool) -> None:
    """Measure what rules cost for each event they are asked about; without FOLDERS the built-in ones.

    Over the events of a rule's own tests, or of the demo's recording when it has none. The time is the median of seven
    runs, all-in, in batches of 1,024. Fuel counts the instructions of the rule alone: it is the same on any machine.
    """
    with failing_plainly():
        specs, problems = discover(folders or [data_dir("rules")], builtin=not folders)
    costs: list[tuple[Cost, str]] = []
    nothing: list[tuple[str, str]] = []
    refused = [(problem.id, f"{problem.reason}; {problem.fix}") for problem in problems]
    bench = RuleBench(events, recording)
    for spec in specs:
        try:
            costs.append(bench.measure(spec))
        except NoEventsError as error:
            nothing.append((spec.id, str(error)))
        except RuleError as error:
            refused.append((spec.id, str(error)))
    bench.close()
    if as_json:
        echo_json([one for one, _ in costs])
    else:
        _show(costs)
    for verdict, told in (("none", nothing), ("FAIL", refused)):
        for rule_id, why in told:
            click.echo(f"{verdict}  {inert(rule_id)}: {inert(why)}", err=True)
    if refused:
        sys.exit(BAD)


def _show(costs: list[tuple[Cost, str]]) -> None:
    width = max([4, *(len(one.id) for one, _ in costs)])
    click.echo(f"{'rule':<{width}}  {'ns/event':>9}  {'fuel/event':>10}  {'memory':>6}  over")
    for one, source in costs:
        figures = f"{one.ns_per_event:>9.1f}  {one.fuel_per_event:>10.2f}  {size(one.memory_bytes):>6}"
        click.echo(f"{inert(one.id):<{width}}  {figures}  {inert(source)}")
