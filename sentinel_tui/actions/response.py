"""What the keys do to processes of the host."""

from __future__ import annotations

import asyncio

from sentinel_engine.response import Deed, Response, ResponseError, Target
from sentinel_tui.actions.base import ActionScreen
from sentinel_tui.screens.confirm import Question
from sentinel_tui.screens.deed import Choice, DeedScreen, facts


class ResponseActions(ActionScreen):
    """End, stop, continue. A process is shown as it is now, and named again before anything is done."""

    def action_respond(self) -> None:
        """Ask what to do to the selected process."""
        self.respond_to(self.target())

    def respond_to(self, target: Target | None) -> None:
        """Ask what to do to this process."""
        response = self.pipeline.response
        if response is None:
            self.tell("this console changes nothing on the host: it is read-only, or plays a recording", bad=True)
        elif target is None:
            self.tell("select an alert or a process first")
        else:
            self.run_worker(self._choose(response, target), group="commands")

    def target(self) -> Target | None:
        """The process that is selected: of an alert, its culprit."""
        alert = self.alerts.alert
        if alert is None or not alert.process_tree:
            return None
        culprit = alert.process_tree[-1]
        return Target(culprit.pid, culprit.start_time, culprit.comm)

    async def _choose(self, response: Response, target: Target) -> None:
        try:
            look = await asyncio.wrap_future(response.look(target))
        except ResponseError as error:
            self.tell(str(error), bad=True)
            return

        def chosen(choice: Choice | None) -> None:
            if choice is None:
                self.tell("nothing was done")
                return
            deed, tree = choice
            whom = f"{target} and {len(look.descendants)} that it started" if tree else str(target)
            question = Question(
                f"{deed.capitalize()} {whom}?", tuple(f"{label}: {text}" for label, text in facts(target, look)),
                f"yes, {deed}",
            )  # fmt: skip
            self.confirm(question, lambda: self.await_answer(response.do(Deed(deed), target, tree=tree)))

        self.app.push_screen(DeedScreen(target, look), chosen)
