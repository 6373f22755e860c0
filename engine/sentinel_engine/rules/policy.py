"""The operator's word on what rules may do: a YAML file that grants capabilities by rule id and SHA-256.

A manifest asks; what is not granted is not linked. Without a file everything that is asked for is granted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import platformdirs

from sentinel_engine.rules.form import checked
from sentinel_engine.rules.manifest import CAPABILITIES, RuleSpec
from sentinel_engine.rules.reading import RuleError, parse_yaml, read_file

MAX_POLICY: Final = 256 << 10
_FOR_ROOT: Final = Path("/etc/sentinel-tui/policy.yaml")
_Capabilities = tuple[str, ...]
_Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class PolicyError(Exception):
    """A policy that cannot be used: one sentence for the user. Nothing is granted on a guess, so nothing starts."""


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule's line. ``sha256``: only this very module; with another one the rule has no line."""

    id: str
    sha256: _Sha256 | None = None
    grant: _Capabilities = ()
    deny: bool = False


class _PolicyYaml(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    default: _Capabilities = tuple(CAPABILITIES)
    builtin: _Capabilities = tuple(CAPABILITIES)
    rules: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may have what. ``default``: of what rules without a line ask for; ``builtin``: the same for our own pack."""

    path: Path | None = None
    default: frozenset[str] = CAPABILITIES
    builtin: frozenset[str] = CAPABILITIES
    lines: tuple[Grant, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Policy:
        """The policy of this file. Raises PolicyError for one that others can write, or that is not understood."""
        try:
            document = parse_yaml(read_file(path, MAX_POLICY), path)
        except RuleError as error:
            raise PolicyError(f"the policy cannot be used: {error}") from None
        if not isinstance(document, dict):
            raise PolicyError(f"the policy {path} is not a list of 'key: value' lines; README.md has an example")
        form = _PolicyYaml(**_whole(path, document, _PolicyYaml, ""))
        lines = tuple(Grant(**_whole(path, line, Grant, f"rules[{n}].")) for n, line in enumerate(form.rules))
        named = {"default": form.default, "builtin": form.builtin}
        named |= {f"rules[{n}].grant": line.grant for n, line in enumerate(lines)}
        for key, capabilities in named.items():
            if unknown := sorted(set(capabilities) - CAPABILITIES):
                known = ", ".join(sorted(CAPABILITIES))
                raise PolicyError(f"the policy {path}: {key}: unknown {unknown[0]!r}; use some of {known}")
        return cls(path, frozenset(form.default), frozenset(form.builtin), lines)

    def again(self) -> Policy:
        """The same file as it is now. Raises PolicyError."""
        return Policy.read(self.path) if self.path else self

    def applied(self, spec: RuleSpec, sha256: str) -> RuleSpec:
        """The rule with what it is granted of what it asks for. Raises RuleError when it is denied altogether."""
        line = next((line for line in self.lines if line.id == spec.id and line.sha256 in (None, sha256)), None)
        if line and line.deny:
            raise RuleError(f"the policy {self.path} denies {spec.id}", "take its line out of the policy")
        allowed = frozenset(line.grant) if line else self.builtin if spec.builtin else self.default
        denied = spec.capabilities - allowed
        if not denied:
            return spec
        asked = ", ".join(sorted(spec.capabilities))
        hint = f"to grant it, put into {self.path} under rules: - {{id: {spec.id}, sha256: {sha256}, grant: [{asked}]}}"
        return replace(spec, capabilities=spec.capabilities & allowed, denied=denied, grant_hint=hint)

    def __str__(self) -> str:
        """For people."""
        if self.path is None:
            return "no policy: each rule has what it asks for"
        default = ", ".join(sorted(self.default)) or "nothing"
        return f"{self.path}: {len(self.lines)} rules by name, others get {default} of what they ask for"


def usual_path() -> Path:
    """Where a policy is looked for when none is named."""
    return _FOR_ROOT if os.geteuid() == 0 else platformdirs.user_config_path("sentinel-tui") / _FOR_ROOT.name


def _whole(path: Path, document: dict[str, Any], shape: type[msgspec.Struct], prefix: str) -> dict[str, Any]:
    good, wrong = checked(document, shape, prefix)
    if wrong:
        reason, fix = wrong[0]
        raise PolicyError(f"the policy {path}: {reason}; {fix.replace('rules/README.md', 'README.md')}")
    return good
