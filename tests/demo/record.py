"""Records the demo: ``python -m tests.demo.record FILE``, as root. Only what the staged attack did is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sentinel_engine.collector.live import LiveSource
from sentinel_engine.recording import Header, RecordingWriter, Trailer
from sentinel_engine.records import Batch, batch_of

_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", "HOME": "/root", "HISTFILE": "/dev/null"}
_ATTACK = b"sh\0/mnt/attack.sh\0"  # whole: unshare's own command line has the script's name in it, too
_FILES = ("attack.sh", "app.py", "intruder.py")


class Family:
    """The processes that descend from one, learned from the records themselves."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._members = {root}
        self._began = False

    def keep(self, batch: Batch) -> list[bytes]:
        """The records of the members, without those of the root, which is ours."""
        kept = []
        for record in batch:
            if record.tgid not in self._members and record.ppid in self._members:
                self._members.add(record.tgid)
            if record.kind.name == "fork" and record.tgid in self._members:
                self._members.add(record.arg("child_pid"))
            # What the stage was set up with is ours, not the attack's.
            self._began |= record.string("argv") == _ATTACK
            if self._began and record.tgid in self._members and record.tgid != self._root:
                kept.append(record.raw)
        return kept


def _start(stage: Path) -> subprocess.Popen[bytes]:
    for name in _FILES:
        shutil.copy(Path(__file__).with_name(name), stage)
    # The stage's folder is /mnt inside, so that no path of this machine is seen.
    script = f"mount --bind {stage} /mnt && exec sh /mnt/attack.sh"
    options = ("--pid", "--fork", "--mount", "--uts", "--net", "--mount-proc")
    return subprocess.Popen(["unshare", *options, "sh", "-c", script], env=_ENVIRONMENT, cwd="/")


def main(output: Path) -> None:
    """Run the attack, write the recording."""
    source = LiveSource.open()
    writer = RecordingWriter(output, Header(source.clock.offset_ns, os.uname().release.split("-")[0], "web-03", []))
    with tempfile.TemporaryDirectory(prefix="stage") as folder:
        attack = _start(Path(folder))
        family = Family(attack.pid)
        while True:
            ended = attack.poll() is not None
            batches = source.read(0.2)
            for batch in batches:
                if kept := family.keep(batch):
                    writer.append(batch_of(kept))
            if ended and not batches:
                break
    writer.close(Trailer(source.lost(), source.refused()))
    source.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
