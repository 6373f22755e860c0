"""What is written for a scope, and what it means."""

from __future__ import annotations

import os

import pytest

from sentinel_engine.collector.scope import ScopeError, parse_scope, parse_scope_line


def test_terms_become_what_the_kernel_compares() -> None:
    scope = parse_scope(["uid=root", "uid=1000"], [f"pid={os.getpid()}"])
    assert scope.sides("uid") == {0: 1, 1000: 1}
    assert scope.sides("pid") == {os.getpid(): 2}
    assert scope.sides("cgroup") == {}
    assert parse_scope(["uid=0"], ["uid=root"]).sides("uid") == {0: 3}


def test_a_scope_is_written_as_it_is_read() -> None:
    line = f"--only uid=root --only cgroup=1 --ignore pid={os.getpid()}"
    assert str(parse_scope_line(line)) == line
    assert parse_scope_line("  --only=uid=7   --ignore uid=8 ") == parse_scope(["uid=7"], ["uid=8"])
    assert not parse_scope_line("   ")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("uid=0", "uid=0 is neither --only FIELD=VALUE nor --ignore FIELD=VALUE"),
        ("--only", "--only is neither"),
        ("--only uid", "uid is no scope: write uid=NUMBER or uid=NAME"),
        ("--only gid=3", "gid=3 is no scope"),
        ("--only uid=no-such-user-here", "there is no user of that name here"),
        ("--only uid=4294967295", "a user id is at most 4294967294"),
        ("--ignore pid=0", "pid=0: there is no such process"),
        ("--ignore pid=x", "pid=x: there is no such process"),
        ("--ignore cgroup=/no/such/cgroup", "cgroup"),
        ("--ignore cgroup=../../etc", "cgroup"),
        ("--only uid=1 " * 300, "at most 256 terms"),
    ],
)
def test_a_bad_scope_is_one_sentence(line: str, sentence: str) -> None:
    with pytest.raises(ScopeError) as caught:
        parse_scope_line(line)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
