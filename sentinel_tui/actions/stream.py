"""What the keys do to the stream: filter and scope, search, jumps, bookmarks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final

from sentinel_engine.collector.scope import Scope, parse_scope_line
from sentinel_engine.match.completion import Completion, complete
from sentinel_engine.match.plain import Filter, parse
from sentinel_engine.schema import ALL_KINDS
from sentinel_engine.text import inert
from sentinel_tui.actions.processes import ProcessActions
from sentinel_tui.screens.event_page import EventScreen, ProcessEventsScreen
from sentinel_tui.search import Search, find, parse_search
from sentinel_tui.widgets.line_bar import Prompt

_COMPLETED_FROM: Final = 1000  # the newest events, whose values are offered
_OF_A_PROCESS: Final = 400
_SCOPE: Final = Prompt("scope: --only uid=1000 --ignore pid=4242", parse_scope_line)


class StreamActions(ProcessActions):
    """What is shown of the events, and what is collected at all."""

    def __init__(self) -> None:
        super().__init__()
        self.filters: list[str] = []  # that were typed, oldest first
        self.searches: list[str] = []
        self._filter = Prompt(
            "filter: kind=exec comm=curl shadow; tab completes", parse, complete=self._complete, history=self.filters
        )
        self._search = Prompt("search: a regular expression; empty ends it", parse_search, history=self.searches)
        self._stop_search = threading.Event()
        self._looking: tuple[Search, bool] | None = None  # what is looked for, and whether among what is older
        self._hops = 0  # matches that the look still has to go

    def action_filter(self) -> None:
        """Edit the filter."""
        self.ask_line(self._filter, self.events.where.text if self.events.where else "", self._filter_typed)

    def _complete(self, text: str) -> Completion:
        return complete(text, self.pipeline.events(None, _COMPLETED_FROM))

    def _filter_typed(self, where: Filter) -> None:
        self.action_pane("events")
        self.set_filter(where if where.text else None)

    def set_filter(self, where: Filter | None) -> None:
        """Show only what this filter accepts; what no rule wants and nobody looks at costs the host nothing."""
        self.pipeline.show(where.mask if where else ALL_KINDS)
        self.run_worker(self.events.set_filter(where), group="filter", exclusive=True)

    def action_scope(self) -> None:
        """Edit the scope."""
        self.ask_line(_SCOPE, self.pipeline.snapshot().scope, self._scope_typed)

    def _scope_typed(self, scope: Scope) -> None:
        self.await_answer(self.pipeline.set_scope(scope))

    # The search.

    def action_search(self) -> None:
        """Type what to search for."""
        self.ask_line(self._search, "", self._search_typed)

    def _search_typed(self, search: Search | None) -> None:
        self.action_pane("events")
        if search is None:
            self.action_end_search()
        else:
            self.events.set_search(search)
            self._look_for(search, older=True)

    def action_next_match(self, older: bool) -> None:
        """Go to the next one that is older, or newer."""
        if self.events.search:
            self._look_for(self.events.search, older=older)
        else:
            self.tell(f"nothing is searched for; {self.key('search')} begins a search")

    def action_end_search(self) -> None:
        """Stop looking, and set nothing off any more."""
        self._stop_search.set()
        self.events.set_search(None)
        self.tell("")

    def _look_for(self, search: Search, *, older: bool) -> None:
        if self._hops and self._looking == (search, older) and not self._stop_search.is_set():
            self._hops += 1  # the key was pressed again meanwhile
            return
        self._stop_search.set()
        from_newest = self.events.following  # which then is looked at too
        row = self.events.selected()
        if row is None:
            self.tell(f"there is no event to search in; {self.key('filter')} changes the filter")
            return
        self._stop_search = stop = threading.Event()
        start, where = row.seq + from_newest, self.events.where
        self._looking, self._hops = (search, older), 1

        async def look() -> None:
            self.tell(f"searching for {search.text} …; esc stops it")
            seq: int | None = start
            while seq is not None and self._hops:
                seq = await asyncio.to_thread(find, self.pipeline, where, search, seq, older=older, stop=stop)
                found = seq is not None and not stop.is_set() and await self.events.go_to(seq)
                if stop.is_set():  # another one has begun, and counts its own
                    return
                self._hops = self._hops - 1 if found else 0
            if not found:
                here, there = ("older", "newer") if older else ("newer", "older")
                other = f"{self.key(f'event.{there}')} looks at what is {there}"
                self.tell(f"no more matches of {search.text} among what is {here}; {other}")
            else:
                keys = f"{self.key('event.older')} older, {self.key('event.newer')} newer, esc ends it"
                self.tell(f"found {search.text}: {keys}")

        self.run_worker(look(), group="search")

    # Jumps and bookmarks.

    async def action_next_alerted(self, step: int) -> None:
        """Go to the next event that raised an alert, or the one before."""
        await self._jump(sorted(self.events.alerted), step, "alert")

    async def action_next_bookmark(self) -> None:
        """Go to the next bookmark; after the last one to the first."""
        marks = sorted(self.events.bookmarks)
        if marks and not self.events.following and self.events.at == marks[-1]:
            await self._go_to(marks[0], "bookmark")
        else:
            await self._jump(marks, 1, "bookmark")

    async def _jump(self, seqs: list[int], step: int, what: str) -> None:
        at = self.events.at
        if at is None:  # it follows: the newest one, whichever the direction
            found = seqs[-1:]
        else:
            found = [seq for seq in seqs if seq > at][:1] if step > 0 else [seq for seq in seqs if seq < at][-1:]
        if found:
            await self._go_to(found[0], what)  # at once: the next key goes on from there
        else:
            none = f"no {'newer' if step > 0 else 'older'} {what}; the other direction has {len(seqs):,}"
            self.tell(none if seqs else f"there is no {what} yet")

    async def _go_to(self, seq: int, what: str) -> None:
        if not await self.events.go_to(seq):
            hidden = f"the filter hides the event of that {what}; {self.key('filter')} changes it"
            self.tell(hidden if self.events.where else f"that {what}'s event has left the stream; an export has it")

    def action_bookmark_event(self) -> None:
        """Put a bookmark on the event, or take it away."""
        if row := self.events.selected():
            on = self.events.bookmark(row.seq)
            self.await_answer(self.pipeline.triage.mark_event(row.seq, f"{row.time} {row.line}", on))

    # Into it: event, its process, what that did.

    def open_event(self) -> None:
        """The page of the event under the cursor."""
        if row := self.events.selected():
            self._open(row.seq)

    def _open(self, seq: int) -> None:
        if event := self.events.event(seq):
            title = f"Event {seq}: {event['kind']} by {inert(event['comm'])} {event['pid']}"
            self.app.push_screen(EventScreen(title, event, self._open_process_events))
        else:
            self.tell("this event has left the history to make room for newer ones; an export still has it")

    def _open_process_events(self, event: dict[str, Any]) -> None:
        """The page of the process that did this: who it is, and its other events."""
        title = f"Process {event['pid']}: {inert(event['comm'])}"
        self.app.push_screen(
            ProcessEventsScreen(
                title,
                event,
                lambda: self.pipeline.events(self.whose(event), _OF_A_PROCESS),
                self._open,
                self.open_process_of,
            )
        )
