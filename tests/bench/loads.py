"""The programs that make the events: compiled C, so that what is timed is the kernel and not a Python loop."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CPU = 1  # the loads' own; the readers have the others
_MEMORY = Path("/dev/shm")


class Loads:
    """The compiled programs in ``programs``, and ``folder``, a private one in memory, for what they work on."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.folder = folder
        for name in ("opens", "spawns", "calls"):
            source = Path(__file__).with_name(f"{name}.c")
            subprocess.run(["gcc", "-O2", "-static", "-o", str(programs / name), str(source)], check=True)

    def start(self, program: str, *arguments: object) -> subprocess.Popen[str]:
        """``opens`` or ``spawns``, running: SECONDS, CPU and, for a paced one, PER_SECOND."""
        return subprocess.Popen(
            [str(self.programs / program), *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )  # fmt: skip

    def run(self, program: str, seconds: float, rate: int = 0) -> tuple[int, float]:
        """How many times it was done, and how many times a second."""
        return result(self.start(program, seconds, CPU, *([rate] if rate else [])))

    def kinds(self) -> list[str]:
        """The kinds of calls that ``call_ns`` knows."""
        return subprocess.check_output([str(self.programs / "calls"), "-"], text=True).split()

    def call_ns(self, kind: str, seconds: float) -> float:
        """The median time of one such call."""
        command = [str(self.programs / "calls"), kind, str(CPU), str(seconds), str(self.folder)]
        return float(subprocess.check_output(command, text=True))


def result(load: subprocess.Popen[str]) -> tuple[int, float]:
    """Wait for a started load; how many times it was done, and how many times a second."""
    said, _ = load.communicate()
    done, speed = said.split()
    return int(done), float(speed)


@contextmanager
def prepared() -> Iterator[Loads]:
    """The loads, for as long as they are needed."""
    # The programs are beside their source: what runs from /tmp or /dev/shm is an alert each time.
    with (
        tempfile.TemporaryDirectory(dir=Path(__file__).parent, prefix=".loads-") as programs,
        tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder,
    ):
        yield Loads(Path(programs), Path(folder))
