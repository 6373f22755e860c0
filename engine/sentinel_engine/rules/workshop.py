"""Makes rules ready to run: read once, hash, validate, compile, start, test. All that takes time happens here.

Beside the engine thread, which only swaps what came out: a rule that compiles for seconds or loops in its start stalls
nobody.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sentinel_engine.records import Clock
from sentinel_engine.rules.manifest import RuleSpec, discover, load_spec, read_module
from sentinel_engine.rules.policy import Policy
from sentinel_engine.rules.reading import RuleError
from sentinel_engine.rules.selftest import run_tests
from sentinel_engine.wasm.rule import LoadedRule
from sentinel_engine.wasm.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at a rule's files has found: a rule ready to run, a problem, or neither when the files are gone.

    ``path``: the rule's folder, or its bare module. ``news``: False when the last look there found the same.
    """

    id: str
    path: Path
    rule: LoadedRule | None = None
    problem: RuleError | None = None
    news: bool = True

    def close(self) -> None:
        """Free a rule that nobody took."""
        if self.rule:
            self.rule.close()


class Workshop:
    """Looks at the rules of these folders; each folder comes with whether it is the built-in pack.

    For one thread at a time. ``sandbox`` is the one the rules will run in; their own tests run apart from it.
    """

    def __init__(self, folders: Sequence[tuple[Path, bool]], sandbox: Sandbox, clock: Clock, policy: Policy) -> None:
        self.folders = list(folders)
        self._sandbox = sandbox
        self._apart = sandbox.apart()
        self._clock = clock
        self._policy = policy
        self._seen: dict[Path, object] = {}
        self.read_at = time.time()  # before any file was read

    def look(self, path: Path) -> Finding:
        """The rule at this path, tested by its own tests."""
        return self._compared(self._look(path))

    def _compared(self, finding: Finding) -> Finding:
        seen = (finding.rule.sha256, finding.rule.spec) if finding.rule else str(finding.problem)
        before, self._seen[finding.path] = self._seen.get(finding.path), seen
        return replace(finding, news=seen != before)

    def _look(self, path: Path) -> Finding:
        builtin = any(builtin and path.is_relative_to(folder) for folder, builtin in self.folders)
        try:
            spec = load_spec(path, builtin=builtin)
        except RuleError as error:
            return Finding(path.stem if path.is_file() else path.name, path, problem=error)
        return self._make(spec, tested=True)

    def look_everywhere(self, *, tested: bool) -> list[Finding]:
        """Every rule of every folder, built-in ones first; two of one id: the first has it. The policy is read again.

        Raises RulesFolderError for a folder that cannot be used, and PolicyError.
        """
        self._policy = self._policy.again()
        specs: dict[str, RuleSpec] = {}
        findings: list[Finding] = []
        for builtin in (True, False):
            found, problems = discover([folder for folder, ours in self.folders if ours is builtin], builtin=builtin)
            for spec in found:
                if specs.setdefault(spec.id, spec) is not spec:
                    findings.append(taken(spec.id, spec.home, specs[spec.id].home))
            for one in problems:
                named = one.id if one.id not in specs else f"{one.id} ({one.path.name})"
                findings.append(Finding(named, one.path, problem=RuleError(one.reason, one.fix)))
        made = [self._make(spec, tested=tested) for spec in specs.values()]
        return [self._compared(finding) for finding in (*made, *findings)]

    def _make(self, spec: RuleSpec, *, tested: bool) -> Finding:
        try:
            code = read_module(spec)
            spec = self._policy.applied(spec, hashlib.sha256(code).hexdigest())
            rule = LoadedRule(self._sandbox, spec, code, self._clock)
        except RuleError as error:
            return Finding(spec.id, spec.home, problem=error)
        try:
            if tested:
                self._test(spec, code)
        except RuleError as error:
            rule.close()
            return Finding(spec.id, spec.home, problem=error)
        return Finding(spec.id, spec.home, rule)

    def _test(self, spec: RuleSpec, code: bytes) -> None:
        failed = [result for result in run_tests(spec, code, self._apart) if not result.ok]
        if failed:
            first = failed[0]
            more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
            raise RuleError(
                f"it fails its own test {first.name!r}: expected {first.expected}, got {first.got}{more}",
                "correct the rule or its tests.yaml; `sentinel-tui rules test` shows all of them",
            )


def taken(rule_id: str, path: Path, holder: Path) -> Finding:
    """A rule whose id another one has already."""
    reason = f"the id {rule_id} is already taken by {holder}"
    return Finding(f"{rule_id} ({path.name})", path, problem=RuleError(reason, "give one of the two another id"))
