"""What the keys do to rules."""

from __future__ import annotations

from sentinel_engine.snapshot import RuleState
from sentinel_tui.actions.base import ActionScreen


class RuleActions(ActionScreen):
    """On the selected rule, or on all of them."""

    def action_toggle_rule(self) -> None:
        """Switch the selected rule off, or on when it is not running."""
        if rule := self.rules.rule:
            self.await_answer(self.pipeline.rules.set_enabled(rule.id, rule.state is not RuleState.ENABLED))

    def action_reload_rule(self) -> None:
        """Load the selected rule's file again."""
        if rule := self.rules.rule:
            self.await_answer(self.pipeline.rules.reload(rule.id))

    def action_reload_all(self) -> None:
        """Load every rule again."""
        self.await_answer(self.pipeline.rules.reload_all())

    def action_roll_back(self) -> None:
        """Let the selected rule's generation before run again."""
        if rule := self.rules.rule:
            self.await_answer(self.pipeline.rules.roll_back(rule.id))

    def action_shadow(self) -> None:
        """Let what is on disk run beside the selected rule, or end that."""
        if rule := self.rules.rule:
            control = self.pipeline.rules
            self.await_answer(control.drop_shadow(rule.id) if rule.shadow else control.start_shadow(rule.id))

    def action_promote(self) -> None:
        """Let the selected rule's shadow be the rule."""
        if rule := self.rules.rule:
            self.await_answer(self.pipeline.rules.promote(rule.id))

    def action_hunt(self) -> None:
        """Run the selected rule over the past, or stop that."""
        hunt = self.pipeline.snapshot().hunt
        if hunt and hunt.running:
            self.pipeline.hunter.cancel()
        elif rule := self.rules.rule:
            self.await_answer(self.pipeline.hunter.start(rule.id))
