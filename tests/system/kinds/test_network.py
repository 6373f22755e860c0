"""The network: each kind caused for real in a child process, and its record checked field by field."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from sentinel_engine.schema import RecordFlag
from tests.system.kinds.causes import Cause, of, only

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_connect_accept_bind_and_dup(cause: Cause, family: socket.AddressFamily, host: str) -> None:
    records = cause(
        """
        family, host = int(sys.argv[1]), sys.argv[2]
        server = socket.socket(family); server.bind((host, 0)); server.listen()
        client = socket.socket(family); client.connect(server.getsockname())
        peer, _ = server.accept()
        os.dup2(client.fileno(), 0)
        pending = socket.socket(family); pending.setblocking(False); pending.connect_ex(server.getsockname())
        other = socket.socket(family); other.bind((host, 0))
        refused = socket.socket(family); refused.connect_ex(other.getsockname())
        """,
        str(int(family)),
        host,
    )
    raw = socket.inet_pton(family, host)
    bound = of(records, "bind")
    good, pending, bad = of(records, "connect")[-3:]
    accepted, moved = only(records, "accept"), only(records, "dup")
    assert [record.string("addr") for record in (*bound, good, pending, bad, accepted, moved)] == [raw] * 7
    assert {record.arg("family") for record in (*bound, good, bad, accepted, moved)} == {family}
    assert [record.arg("port") for record in bound] == [good.arg("port"), bad.arg("port")]  # not the 0 asked for
    assert good.arg("port") == moved.arg("port") == accepted.arg("local_port") > 0
    assert good.arg("local_port") == accepted.arg("port") > 0
    assert (moved.arg("old_fd"), moved.arg("new_fd")) == (good.arg("fd"), 0)
    assert (good.ret, pending.ret, bad.ret) == (0, -errno.EINPROGRESS, -errno.ECONNREFUSED)
    assert bad.arg("port") > 0
    assert (good.flags, pending.flags, bad.flags, accepted.flags) == (0, 0, RecordFlag.USER_PTR, 0)
    assert accepted.arg("fd") == accepted.ret


def test_unix_sockets(cause: Cause, tmp_path: Path) -> None:
    records = cause(
        """
        server = socket.socket(socket.AF_UNIX); server.bind("\\0hidden"); server.listen()
        client = socket.socket(socket.AF_UNIX); client.connect("\\0hidden")
        server.accept()
        other = socket.socket(socket.AF_UNIX); other.bind(sys.argv[1] + "/sock")
        """,
        str(tmp_path),
    )
    assert [record.string("addr") for record in of(records, "bind")] == [b"\0hidden", os.fsencode(tmp_path / "sock")]
    assert of(records, "connect")[-1].string("addr") == b"\0hidden"
    assert only(records, "accept").arg("family") == socket.AF_UNIX
