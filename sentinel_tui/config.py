"""Options from the command line and the config file, as one value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from sentinel_engine.collector.preflight import Loader
from sentinel_engine.resources import data_dir

if TYPE_CHECKING:
    from sentinel_engine.rules.policy import Policy
    from sentinel_engine.segments import Keep


_FOR_ALL: Final = Path("/etc/sentinel-tui")


class ConfigError(Exception):
    """The config file cannot be used; the text is a sentence for people."""


def _meta(allowed: str, **limits: Any) -> msgspec.Meta:
    return msgspec.Meta(description=allowed, **limits)


_Flag = Annotated[bool, _meta("true or false")]
_Scope = Annotated[
    tuple[Annotated[str, msgspec.Meta(pattern="^(uid|pid|cgroup)=.")], ...],
    _meta("a list of uid=, pid= or cgroup= lines, such as [uid=1000]"),
]


class ConfigFile(msgspec.Struct, frozen=True):
    """The keys of a config file, and what is allowed in each; ``files`` is no key, but what was read.

    Down to ``read_only`` each is the default of the option of the same name. ``keys``: keys by the actions they do.
    """

    rules: Annotated[tuple[str, ...], _meta("a list of folders")] = ()
    builtin_rules: _Flag = True
    session_dir: Annotated[str, _meta("a folder")] = ""
    only: _Scope = ()
    ignore: _Scope = ()
    limit: Annotated[int, _meta("a whole number of events a second, 0 for no limit", ge=0)] = 0
    workers: Annotated[int, _meta("a whole number from 1 to 64", ge=1, le=64)] = 0
    policy: Annotated[str, _meta("a file")] = ""
    record: _Flag = True
    keep_mb: Annotated[int, _meta("a whole number of MB, at least 4", ge=4)] = 0
    keep_hours: Annotated[float, _meta("a number of hours, 0 for any", ge=0)] = 0
    read_only: _Flag = False
    theme: Annotated[str, _meta("the name of a theme", pattern=r"^[a-z][a-z0-9-]{0,31}\Z")] = ""
    keys: Annotated[dict[str, Any], _meta("'action: key' lines")] = {}
    files: tuple[str, ...] = ()


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
    config: Path | None = None  # instead of the usual files
    config_files: tuple[str, ...] = ()  # that were read
    theme: str = ""
    keys: dict[str, Any] = {}

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


def config_folders() -> list[Path]:
    """Where config files and themes are looked for: the host's folder, then the user's own, which wins."""
    import platformdirs  # noqa: PLC0415 - as above

    return [_FOR_ALL, platformdirs.user_config_path("sentinel-tui")]


def merge(given: dict[str, Any], outer: Options | None = None) -> Options:
    """The options of one command over those given before it, over the config files'.

    Raises ConfigError when a file cannot be read or has a key or value that is not known.
    """
    asked = command_line(given, outer)
    usual = (folder / "config.yaml" for folder in config_folders())
    paths = [asked.config] if asked.config else [path for path in usual if os.path.lexists(path)]
    if not paths:
        return asked
    from sentinel_tui.config_file import read_files  # noqa: PLC0415 - as above

    return _over(asked, read_files(paths))


def command_line(given: dict[str, Any], outer: Options | None = None) -> Options:
    """The options of one command over those given before it."""
    base = outer or Options()
    return msgspec.structs.replace(
        base,
        rules=base.rules + tuple(given["rules"]),
        builtin_rules=base.builtin_rules and not given["no_builtin_rules"],
        session_dir=given["session_dir"] or base.session_dir,
        loader=Loader(given.get("loader") or base.loader),
        only=base.only + tuple(given.get("only", ())),
        ignore=base.ignore + tuple(given.get("ignore", ())),
        limit=given.get("limit") or base.limit,
        workers=given["workers"] or base.workers,
        policy=given["policy"] or base.policy,
        record=base.record and not given["no_record"],
        keep_mb=given["keep"] or base.keep_mb,
        keep_hours=given["keep_hours"] or base.keep_hours,
        read_only=bool(given.get("read_only")) or base.read_only,
        config=given["config"] or base.config,
    )


def _over(asked: Options, file: ConfigFile) -> Options:
    return msgspec.structs.replace(
        asked,
        rules=tuple(Path(rule).expanduser() for rule in file.rules) + asked.rules,
        builtin_rules=asked.builtin_rules and file.builtin_rules,
        session_dir=asked.session_dir or (Path(file.session_dir).expanduser() if file.session_dir else None),
        only=file.only + asked.only,
        ignore=file.ignore + asked.ignore,
        limit=asked.limit or file.limit,
        workers=asked.workers or file.workers,
        policy=asked.policy or (Path(file.policy).expanduser() if file.policy else None),
        record=asked.record and file.record,
        keep_mb=asked.keep_mb or file.keep_mb,
        keep_hours=asked.keep_hours or file.keep_hours,
        read_only=asked.read_only or file.read_only,
        config_files=file.files,
        theme=file.theme,
        keys=file.keys,
    )
