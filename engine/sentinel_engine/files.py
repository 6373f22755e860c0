"""Writing where others may have laid a trap: we run as root, and a name is not a file."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def private_folder(path: Path) -> None:
    """Make this folder (0700) when missing. Raises OSError when it is not ours alone to write."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(20, "is not a folder (a link, perhaps)", str(path))
    if found.st_uid not in {os.geteuid(), 0} or found.st_mode & 0o022:
        raise PermissionError(13, "others can write to it; make it yours and run chmod go-w", str(path))


def create_private(path: Path) -> BinaryIO:
    """Open a new file (0600) for appending. Raises FileExistsError when the name is taken, even by a link."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    return os.fdopen(fd, "wb", buffering=0)


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Write every byte: an unbuffered stream (PYTHONUNBUFFERED makes stdout one) may take fewer. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]
    stream.flush()


@contextmanager
def atomic_file(path: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is whole (0600).

    Raises FileExistsError when the name is taken, unless ``force``; a link is replaced, never followed.
    """
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent or Path())
    temporary = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
