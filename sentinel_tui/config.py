"""Options from the command line and the config file, as one value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sentinel_engine.collector.preflight import Loader
from sentinel_engine.resources import data_dir

if TYPE_CHECKING:
    from sentinel_engine.rules.policy import Policy
    from sentinel_engine.segments import Keep


class ConfigError(Exception):
    """The config file cannot be used; the text is a sentence for people."""


class ConfigFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of a config file; each is the default of the option of the same name."""

    rules: list[str] = []
    builtin_rules: bool = True
    session_dir: str | None = None
    only: list[str] = []
    ignore: list[str] = []
    limit: int = 0
    workers: int = 0
    policy: str | None = None
    record: bool = True
    keep_mb: int = 256
    keep_hours: float = 0
    read_only: bool = False


class Options(msgspec.Struct, frozen=True):
    """What was asked for, whichever way."""

    rules: tuple[Path, ...] = ()
    builtin_rules: bool = True
    session_dir: Path | None = None
    loader: Loader = Loader.AUTO
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    limit: int = 0
    workers: int = 0  # 0: as many as are usual
    policy: Path | None = None
    record: bool = True
    keep_mb: int = 0
    keep_hours: float = 0
    read_only: bool = False  # nothing that changes this host

    def rule_folders(self) -> list[tuple[Path, bool]]:
        """Each rule folder, and whether it is the built-in pack."""
        builtin = [(data_dir("rules"), True)] if self.builtin_rules else []
        return [*builtin, *((folder, False) for folder in self.rules)]

    def keep(self) -> Keep | None:
        """How much of the raw events a session keeps; None for none."""
        from sentinel_engine.segments import DEFAULT_BYTES, Keep  # noqa: PLC0415 - as below

        size = self.keep_mb << 20 or DEFAULT_BYTES
        return Keep(size, self.keep_hours * 3600) if self.record else None

    def read_policy(self) -> Policy:
        """What rules may have, by the file that was named, or the usual one if it is there. Raises PolicyError."""
        from sentinel_engine.rules.policy import Policy, usual_path  # noqa: PLC0415 - most of a command's start, else

        if self.policy is None and not os.path.lexists(usual_path()):
            return Policy()
        return Policy.read(self.policy or usual_path())

    def session_root(self) -> Path:
        """The folder that sessions are kept in."""
        if self.session_dir:
            return self.session_dir
        from sentinel_engine.session import default_root  # noqa: PLC0415 - most of a command's start, else

        return default_root()


def merge(given: dict[str, Any], outer: Options | None = None) -> Options:
    """The options of one command over those given before it, over the config file's.

    Raises ConfigError when the file cannot be read or has a key or value that is not known.
    """
    base = outer or Options()
    if given["config"] is not None:
        file = _read(given["config"])
        base = Options(
            base.rules + tuple(Path(rule).expanduser() for rule in file.rules),
            base.builtin_rules and file.builtin_rules,
            base.session_dir or (Path(file.session_dir).expanduser() if file.session_dir else None),
            base.loader,
            base.only + tuple(file.only),
            base.ignore + tuple(file.ignore),
            base.limit or file.limit,
            base.workers or file.workers,
            base.policy or (Path(file.policy).expanduser() if file.policy else None),
            base.record and file.record,
            base.keep_mb or file.keep_mb,
            base.keep_hours or file.keep_hours,
            base.read_only or file.read_only,
        )
    return Options(
        base.rules + tuple(given["rules"]),
        base.builtin_rules and not given["no_builtin_rules"],
        given["session_dir"] or base.session_dir,
        Loader(given.get("loader") or base.loader),
        base.only + tuple(given.get("only", ())),
        base.ignore + tuple(given.get("ignore", ())),
        given.get("limit") or base.limit,
        given["workers"] or base.workers,
        given["policy"] or base.policy,
        base.record and not given["no_record"],
        given["keep"] or base.keep_mb,
        given["keep_hours"] or base.keep_hours,
        bool(given.get("read_only")) or base.read_only,
    )


def _read(path: Path) -> ConfigFile:
    try:
        return msgspec.yaml.decode(path.read_bytes() or b"{}", type=ConfigFile)
    except OSError as error:
        raise ConfigError(f"cannot read the config file {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"the config file {path} is wrong: {reason}") from error
