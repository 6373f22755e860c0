"""Writes to the session what was done and what has happened by itself, and keeps the newest of it for front ends."""

from __future__ import annotations

from collections import deque
from typing import Final

from sentinel_engine.rules.registry import Change
from sentinel_engine.session import KeptRule, Session, now, operator
from sentinel_engine.snapshot import Action
from sentinel_engine.wasm.rule import LoadedRule

_SHOWN_NOTICES: Final = 50


class Scribe:
    """Engine thread. Without a session only the notices are kept."""

    def __init__(self, session: Session | None) -> None:
        self._session = session
        self._kept: dict[str, str] = {}  # rule -> SHA-256 of the module that the session has
        self.notices: deque[str] = deque(maxlen=_SHOWN_NOTICES)

    def note(self, notice: str) -> None:
        """Tell front ends."""
        if not self.notices or self.notices[-1] != notice:
            self.notices.append(notice)

    def action(self, action: str, target: str, detail: str) -> None:
        """Something was done, or has happened by itself."""
        self.note(detail)
        if self._session:
            self._session.act(action, target, detail)

    def change(self, change: Change, by: str, seen: int) -> None:
        """A rule was changed, after so many events. ``by``: empty for the operator."""
        self.note(change.said)
        if self._session:
            who = by or operator()
            self._session.write(
                Action(now(), change.action, change.target, change.said, who, change.before, change.after, seen)
            )

    def keep(self, rule: LoadedRule | None, seen: int) -> None:
        """Have the module that runs now, after so many events, in the session, so that it can be verified."""
        if rule is None or self._session is None or rule.sha256 == self._kept.get(rule.spec.id):
            return
        spec, limits = rule.spec, rule.spec.limits
        self._kept[spec.id] = rule.sha256
        kept = KeptRule(
            spec.id, rule.sha256, seen, spec.title, spec.version, spec.severity, spec.attack, spec.kinds,
            tuple(sorted(spec.capabilities)), limits.memory_bytes, limits.deadline_ms, spec.message, spec.config,
            spec.enabled,
        )  # fmt: skip
        self._session.keep_rule(kept, rule.code)
