"""What the keys do to rules."""

from __future__ import annotations

from pathlib import Path

from textual.app import SuspendNotSupported

from sentinel_engine.resources import data_dir
from sentinel_engine.snapshot import RuleState
from sentinel_engine.text import inert
from sentinel_tui.actions.base import ActionScreen
from sentinel_tui.editor import EditorError, edit, sources
from sentinel_tui.screens.choice import ChoiceScreen
from sentinel_tui.screens.confirm import Question


class RuleActions(ActionScreen):
    """On the selected rule, or on all of them."""

    def offer_hunt(self) -> str:
        """What can be done with a rule that has just begun to run, for the end of a sentence."""
        return f"; {self.key('rule.hunt')} runs it over the past"

    def action_toggle_rule(self) -> None:
        """Switch the selected rule off after a question, or on when it is not running."""
        rule, control = self.rules.rule, self.pipeline.rules
        if rule is None:
            return
        if rule.state is not RuleState.ENABLED:
            self.await_answer(control.set_enabled(rule.id, True), self.offer_hunt())
            return
        question = Question(
            f"Switch {inert(rule.id, 40)} off?",
            (
                f"{rule.title}  ({rule.severity})",
                f"It has given {rule.alerts:,} alerts in {rule.calls:,} calls.",
                "What it looks for is not found until it is on again; that it was off is in the session.",
            ),
            "yes, switch it off",
        )
        self.confirm(question, lambda: self.await_answer(control.set_enabled(rule.id, False)))

    def action_reload_rule(self) -> None:
        """Load the selected rule's file again."""
        if rule := self.rules.rule:
            self.await_answer(self.pipeline.rules.reload(rule.id), self.offer_hunt())

    def action_reload_all(self) -> None:
        """Load every rule again."""
        self.await_answer(self.pipeline.rules.reload_all())

    def action_roll_back(self) -> None:
        """Let the selected rule's generation before run again."""
        if rule := self.rules.rule:
            self.await_answer(self.pipeline.rules.roll_back(rule.id), self.offer_hunt())

    def action_shadow(self) -> None:
        """Let what is on disk run beside the selected rule, or end that."""
        if rule := self.rules.rule:
            control = self.pipeline.rules
            self.await_answer(control.drop_shadow(rule.id) if rule.shadow else control.start_shadow(rule.id))

    def action_promote(self) -> None:
        """Let the selected rule's shadow be the rule."""
        if rule := self.rules.rule:
            self.await_answer(self.pipeline.rules.promote(rule.id), self.offer_hunt())

    def action_hunt(self) -> None:
        """Run the selected rule over the past, or stop that."""
        hunt = self.pipeline.snapshot().hunt
        if hunt and hunt.running:
            self.pipeline.hunter.cancel()
        elif rule := self.rules.rule:
            self.await_answer(self.pipeline.hunter.start(rule.id))

    def action_edit_rule(self) -> None:
        """Edit a file of the selected rule; what is saved is taken in by itself."""
        rule = self.rules.rule
        if rule is None:
            return
        if self.pipeline.response is None:
            self.tell("this console changes nothing on the host: it is read-only, or plays a recording", bad=True)
            return
        path = Path(rule.path)
        if path.is_relative_to(data_dir("rules")):
            self.tell(
                f"{rule.id} belongs to the package: copy {path} to a folder of your own, and name that with --rules"
            )
            return
        found = sources(path)
        if not found:
            self.tell(f"{path.name} has no source here: edit it where it was made, and build it again", bad=True)
        elif len(found) == 1:
            self._edit(found[0])
        else:
            names = [file.name for file in found]
            self.app.push_screen(
                ChoiceScreen(f"Edit what of {inert(rule.id, 40)}?", names),
                lambda at: self._edit(found[at]) if at is not None else None,
            )

    def _edit(self, path: Path) -> None:
        try:
            before = path.read_bytes()
            with self.app.suspend():
                edit(path)
            changed = path.read_bytes() != before
        except OSError as error:
            self.tell(f"{path} cannot be read: {error.strerror}; r says what there is of the rule", bad=True)
            return
        except (EditorError, SuspendNotSupported) as error:
            self.tell(str(error), bad=True)
            return
        finally:
            self.app.refresh(layout=True)
        built = f"; `sentinel-tui rules build {path.parent}` makes its module" if path.suffix in {".rs", ".c"} else ""
        self.tell(f"{path.name} is {'saved' if changed else 'as it was'}{built if changed else ''}")
