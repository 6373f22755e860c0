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


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_listen(cause: Cause, family: socket.AddressFamily, host: str) -> None:
    records = cause(
        """
        server = socket.socket(int(sys.argv[1])); server.bind((sys.argv[2], 0)); server.listen(7)
        """,
        str(int(family)),
        host,
    )
    record, bound = only(records, "listen"), only(records, "bind")
    assert record.string("addr") == socket.inet_pton(family, host)
    assert (record.arg("family"), record.arg("backlog"), record.ret, record.flags) == (family, 7, 0, 0)
    assert record.arg("port") == bound.arg("port") > 0
    assert record.arg("fd") == bound.arg("fd")


def test_sockets_that_see_or_forge_packets(cause: Cause) -> None:
    records = cause("""
        socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMP)
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP)
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        socket.socket(socket.AF_UNIX, socket.SOCK_RAW)
    """)
    found = of(records, "socket")
    assert [(record.arg("family"), record.arg("socket_type"), record.arg("protocol")) for record in found] == [
        (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        (socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)),
        (socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_UDP),
    ]
    assert all(record.arg("fd") == record.ret > 2 for record in found)


# A question for `name` of this type, as a resolver writes it, in each way that it is sent.
QUESTION = """
import struct
def question(name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, kind, 1)
there = (sys.argv[2], 53)
family = int(sys.argv[1])
plain = socket.socket(family, socket.SOCK_DGRAM)
plain.sendto(question("exfil.example.com", 16), there)
plain.sendmsg([question("a.b", 1)], [], 0, there)
connected = socket.socket(family, socket.SOCK_DGRAM); connected.connect(there)
connected.send(question("x" * 63 + "." + "y" * 63 + "." + "z" * 63 + "." + "w" * 61, 28))
class Part(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_size", ctypes.c_uint32), ("parts", ctypes.POINTER(Part)),
                ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_size", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("sent", ctypes.c_uint64)]
texts = [ctypes.create_string_buffer(question("pair.test", kind)) for kind in (1, 28)]
parts = [Part(ctypes.addressof(text), len(text) - 1) for text in texts]
messages = (Message * 2)(*(Message(parts=ctypes.pointer(part), count=1) for part in parts))
try: connected.send(b"")  # takes the refusal of the first one
except OSError: pass
call("sendmmsg", connected.fileno(), messages, 2, 0)
"""


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_dns_questions(cause: Cause, family: socket.AddressFamily, host: str) -> None:
    records = cause(
        QUESTION + 'plain.sendto(question("not.dns", 1), (sys.argv[2], 5353))\nplain.sendto(b"junk", there)',
        str(int(family)),
        host,
    )
    found = of(records, "dns")
    longest = b"x" * 63 + b"." + b"y" * 63 + b"." + b"z" * 63 + b"." + b"w" * 61
    assert [(record.string("name"), record.arg("query_type")) for record in found] == [
        (b"exfil.example.com", 16), (b"a.b", 1), (longest, 28), (b"pair.test", 1), (b"pair.test", 28),
    ]  # fmt: skip
    assert {record.string("addr") for record in found} == {socket.inet_pton(family, host)}
    assert {(record.arg("family"), record.arg("port")) for record in found} == {(family, 53)}
    assert {record.flags for record in found} == {RecordFlag.USER_PTR}


def test_dns_over_tcp_and_broken_questions(cause: Cause) -> None:
    records = cause("""
        import struct
        assert call("unshare", 0x40000000) == (0, 0)  # a network of its own, where port 53 is free
        import fcntl
        up = socket.socket(); fcntl.ioctl(up, 0x8914, struct.pack("16sH14x", b"lo", 0x49))
        server = socket.socket(); server.bind(("127.0.0.1", 53)); server.listen()
        head = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0)
        body = head + b"\\3tcp\\0" + struct.pack(">HH", 1, 1)
        client = socket.socket(); client.connect(("127.0.0.1", 53))
        client.send(struct.pack(">H", len(body)) + body)
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        there = ("127.0.0.1", 53)
        plain.sendto(head + b"\\x05abc", there)         # ends within a label
        plain.sendto(head + b"\\xc0\\x0c\\0\\1\\0\\1", there)  # a pointer
        plain.sendto(head[:2] + b"\\x81" + head[3:] + b"\\3tcp\\0\\0\\1\\0\\1", there)  # an answer
        plain.sendto(head + b"\\0\\0\\2\\0\\1", there)      # the root's name servers
    """)
    tcp, cut, pointer, root = of(records, "dns")
    assert (tcp.string("name"), tcp.arg("query_type")) == (b"tcp", 1)
    assert cut.string("name").startswith(b"abc")
    assert cut.flags & RecordFlag.TRUNCATED
    assert pointer.string("name") == b""
    assert (root.string("name"), root.arg("query_type")) == (b"", 2)
