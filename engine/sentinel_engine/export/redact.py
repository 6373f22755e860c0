"""Blots out whose folder it was and what looks like a secret, for a case that leaves the house.

It errs on the side of blotting out too much: a redacted export is a copy, the session keeps everything. What was a
secret in one text is blotted out wherever the case repeats it. The exact bytes beside a text are dropped.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from math import log2
from typing import Any, Final, TypeVar

import msgspec

from sentinel_engine.text import inert

SECRET: Final = "[redacted]"  # noqa: S105 - what takes a secret's place
USER: Final = "/home/[user]"
T = TypeVar("T")

# Fields that we have filled ourselves: hashes and ids would look like secrets.
_OURS: Final = frozenset({
    "id", "boot_id", "container", "container_id", "time", "first_time", "last_time", "start_time", "exited", "started",
    "type", "kind", "severity", "version",
})  # fmt: skip
_DIGESTS: Final = frozenset({"sha256", "previous_sha256", "before", "after"})
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SHORTEST_REPEATED: Final = 4  # a shorter secret is blotted out where it stands; elsewhere it is just a syllable
_MOST_REPEATED: Final = 65_536
_WORDS: Final = re.compile(r"\w+")

# What the name of an option, a variable or a key has in it when its value is a secret; not where it says in which
# file the secret is. The repeats in all patterns are bounded: the text is an attacker's.
_NAME: Final = (
    r"(?:pass(?:word|wd|phrase|code|in|out)?|(?<=[\w-])pwd|secret|token|cookie|credentials?|auth(?:orization)?(?![a-z])|"
    r"(?:api|access|secret|private|account|auth|encryption|signing|master|ssh|shared|storage|license)[-_]?key)"
    r"(?![\w-]{0,20}?(?:file|path|dir|stdin)\b)[\w-]{0,24}"
)
# Programs with a short option that takes a secret; {gap} is what stands between two arguments.
_SHORT: Final = (
    (r"-p", r"mysql\w{{0,12}}|mariadb[\w-]{{0,12}}|sshpass|mongo\w{{0,10}}|7z[ar]?|rar|(?:docker|podman){gap}login"),
    (r"-hp", r"rar"),
    (r"-[A-Za-z]{{0,6}}[uU]", r"curl|smbclient|rpcclient"),
    (r"-a", r"redis-cli"),
    (r"-[wy]", r"ldap\w{{1,10}}"),
    (r"-P", r"zip|unzip|sqlcmd|ipmitool|tsql"),
    (r"-k", r"openssl"),
    (r"-pw", r"plink|pscp|psftp"),
)  # fmt: skip


def _options(gap: str, value: str, others: str) -> list[re.Pattern[str]]:
    """Secrets by the option before them, between arguments that are separated by ``gap``."""
    short = [
        rf"(?P<keep>(?<![\w.-])(?:{programs.format(gap=gap)})(?![\w.-]){others}{gap}{option.format()}(?:{gap})?)"
        rf"(?P<secret>{value})"
        for option, programs in _SHORT
    ]
    long = rf"(?i)(?P<keep>(?<![\w-])--?[\w-]{{0,30}}?{_NAME}{gap})(?P<secret>(?!--){value})"
    return [re.compile(pattern) for pattern in (long, *short)]


_WORD: Final = r"""(?:"[^"]*"?|'[^']*'?|[^\s"';|&]+)"""
_ARGUMENTS: Final = [
    re.compile(rf"(?i)(?P<keep>\0[\w-]{{0,30}}?{_NAME}=)(?P<secret>[^\0]+)"),
    *_options(r"\0", r"[^\0]+", r"(?:\0[^\0]{0,256}){0,16}?"),
]
_TEXT: Final = [
    re.compile(r"(?i)(?P<keep>\b(?:bearer|basic|negotiate)\s)(?P<secret>[\w.~+/=-]{6,})"),
    re.compile(r"(?P<keep>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----)(?P<secret>.+?)(?=-----END|\Z)", re.DOTALL),
    re.compile(r"(?i)(?P<keep>\b(?:proxy-)?authorization\s?[:=]\s{0,2})(?P<secret>[^\"'\n]+)"),
    re.compile(r"(?i)(?P<keep>\b(?:set-)?cookie:\s{0,2})(?P<secret>[^\"'\n]+)"),
    re.compile(rf"(?i)(?P<keep>{_NAME}[\"']?\s?[=:]\s{{0,2}})(?P<secret>{_WORD})"),
    re.compile(r"(?i)(?P<keep>[?&](?:key|sig|signature|code)=)(?P<secret>[^\s&\"']+)"),
    *_options(r"[ \t]{1,4}", _WORD, r"[^;|&\n]{0,256}?"),
    re.compile(r"(?P<keep>\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@\"']{0,256}:)(?P<secret>[^\s/@\"']{1,256})(?=@)"),
    re.compile(r"(?P<keep>hooks\.slack\.com/services/)(?P<secret>[\w/]+)"),
    re.compile(r"(?P<keep>)(?P<secret>\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{12,})"),
    re.compile(
        r"(?P<keep>)(?P<secret>\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|sk-|[sr]k_live_|hf_|npm_|AIza)[\w-]{12,})"
    ),
    re.compile(r"(?P<keep>)(?P<secret>\beyJ[\w-]{8,}(?:\.[\w-]*){0,4})"),
]
# Not what goes on after a slash or a dot: long paths and host names are no secrets.
_LONG: Final = re.compile(r"(?<![\w+/.-])[A-Za-z0-9+_-][\w+/-]{31,}={0,2}", re.ASCII)
_HEX: Final = re.compile(r"(?i)[0-9a-f]{32,}")
_HOME: Final = re.compile(r"""/home/[^/\s"':;,|&<>()\[\]]+|(?<![\w./-])/root(?![\w.-])""")


class Redactor:
    """Redacts the parts of one case: a secret that one part gives away is blotted out in all that come after."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}  # by a word of each
        self._count = 0

    def learn(self, value: Any) -> None:
        """Find the secrets in every text of this value."""
        found: set[str] = set()
        _walk(msgspec.to_builtins(value), "", found)
        # What is a path may also be evidence: it is blotted out where it is a secret, and only there.
        for secret in (form for one in found for form in {one, inert(one)} if SECRET not in one and one[:1] != "/"):
            words = _WORDS.findall(secret)
            if words and len(secret) >= _SHORTEST_REPEATED and self._count < _MOST_REPEATED:
                self._known.setdefault(max(words, key=len), set()).add(secret)
                self._count += 1

    def redact(self, value: T) -> T:
        """The same value, of the same type, with homes and secrets blotted out in every text of it."""
        self.learn(value)
        plain = _walk(msgspec.to_builtins(value), "", set())
        return msgspec.convert(self._forget(plain) if self._known else plain, type(value))

    def _forget(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return value if key in _OURS else self._without(value)
        if isinstance(value, dict):
            return {name: self._forget(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self._forget(one, key) for one in value]
        return value

    def _without(self, text: str) -> str:
        secrets = {one for word in _WORDS.findall(text) for one in self._known.get(word, ())}
        for secret in sorted(secrets, key=len, reverse=True):
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", SECRET, text)
        return text


def _walk(value: Any, key: str, found: set[str]) -> Any:
    if isinstance(value, str):
        if key in _OURS or (key in _DIGESTS and _DIGEST.fullmatch(value)):
            return value
        return _take(_blotted(value), found)
    if isinstance(value, dict):
        return {name: _walk(one, name, found) for name, one in value.items() if name != "raw_b64"}
    if isinstance(value, list | tuple):
        if key == "argv" and all(isinstance(one, str) for one in value):
            value = _take(_blotted_arguments("\0".join(("", *value))), found).split("\0")[1:]
        return [_walk(one, key, found) for one in value]
    return value


def _take(blotted: tuple[str, frozenset[str]], found: set[str]) -> str:
    text, secrets = blotted
    found |= secrets
    return text


# The same programs, folders and arguments come again and again.
@lru_cache(maxsize=4096)
def _blotted(text: str) -> tuple[str, frozenset[str]]:
    text, secrets = _apply(_TEXT, text)
    random = {word for word in _LONG.findall(text) if _random(word)}
    text = _LONG.sub(lambda found: SECRET if found[0] in random else found[0], text)
    return _HOME.sub(USER, text), secrets | random


@lru_cache(maxsize=4096)
def _blotted_arguments(joined: str) -> tuple[str, frozenset[str]]:
    return _apply(_ARGUMENTS, joined)


def _apply(patterns: list[re.Pattern[str]], text: str) -> tuple[str, frozenset[str]]:
    secrets: set[str] = set()

    def blot(found: re.Match[str]) -> str:
        secrets.update(line.strip("\"' ") for line in found["secret"].splitlines())  # a key has many
        return found["keep"] + SECRET

    for pattern in patterns:
        text = pattern.sub(blot, text)
    return text, frozenset(secrets)


def _random(text: str) -> bool:
    """Whether so long a word is a hash or base64 rather than a name."""
    if _HEX.fullmatch(text):
        return True
    entropy = -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())
    return entropy > 4.2 and any(map(str.isdigit, text)) and any(map(str.isupper, text)) and any(map(str.islower, text))
