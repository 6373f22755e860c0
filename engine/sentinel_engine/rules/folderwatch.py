"""Tells when files of rules are saved, made or deleted, so that an edited rule runs without a key being pressed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sentinel_engine.rules.manifest import MANIFEST, MODULE_SUFFIXES, is_ignored
from sentinel_engine.rules.testfile import TESTS

# An editor writes in several steps: what changes is looked at once nothing has changed for this long.
_STEP_MS: Final = 10
_DEBOUNCE_MS: Final = 100
# Some editors move the old file away before the new one is there.
_GONE_SECONDS: Final = 0.3
_STOP_MS: Final = 200
# Files that were saved this long before the rules were read may have been saved just after: clocks of disks are coarse.
_BEFORE_SECONDS: Final = 1.0


class FolderWatch:
    """A thread that calls ``changed`` with the rules (folders or bare modules) whose files changed.

    ``since``: when the rules were read (Unix time); what was saved between then and now is told of, too. ``failed`` is
    called with a sentence when the folders cannot be watched.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        since: float,
        changed: Callable[[set[Path]], None],
        failed: Callable[[str], None],
    ) -> None:
        self._folders = {folder.resolve(): folder for folder in folders}
        self._since: float | None = since - _BEFORE_SECONDS
        self._changed = changed
        self._failed = failed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rule folders", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        from watchfiles import watch  # noqa: PLC0415 - takes 10 ms, which the start need not wait for

        try:
            for changes in watch(
                *self._folders, watch_filter=None, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=self._stopping,
                rust_timeout=_STOP_MS, raise_interrupt=False, ignore_permission_denied=True,
                yield_on_timeout=True,
            ):  # fmt: skip
                files = {file for _, name in changes if self._is_ours(file := Path(name))} | self._missed()
                if any(not file.exists() for file in files):
                    self._stopping.wait(_GONE_SECONDS)
                if rules := {self._rule_of(file) for file in files}:
                    self._changed(rules)
        except OSError as error:
            self._failed(f"the rule folders are not watched ({error}); press R after an edit")

    def _missed(self) -> set[Path]:
        """What was saved before the folders were watched; only the first time, which is when they are."""
        since, self._since = self._since, None
        if since is None:
            return set()
        files = (file for folder in self._folders for pattern in ("*", "*/*") for file in folder.glob(pattern))
        return {file for file in files if self._is_ours(file) and file.is_file() and file.stat().st_mtime >= since}

    def _is_ours(self, file: Path) -> bool:
        parts = self._below(file)
        if any(map(is_ignored, parts)) or len(parts) > 2:
            return False
        return file.suffix in MODULE_SUFFIXES or file.name in (MANIFEST, TESTS) or len(parts) == 1

    def _rule_of(self, file: Path) -> Path:
        folder = self._folders[self._folder_of(file)]  # as it was given, and as rules go by
        return folder if (folder / MANIFEST).exists() else folder / self._below(file)[0]

    def _below(self, file: Path) -> Sequence[str]:
        return file.relative_to(self._folder_of(file)).parts or (file.name,)

    def _folder_of(self, file: Path) -> Path:
        return next(folder for folder in self._folders if file.is_relative_to(folder))
