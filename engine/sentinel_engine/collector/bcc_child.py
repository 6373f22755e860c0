"""Compiles and loads the BPF program with BCC, and hands its file descriptors to the parent.

Run as a file, isolated (``python -I``), in a process of its own: libbcc brings 100 MB of LLVM
that goes when this process does. Reads one JSON request from standard input; answers on the
socket whose descriptor is its only argument, with one JSON line and the descriptors beside it.
"""

from __future__ import annotations

import array
import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any


def import_bcc(folder: str) -> ModuleType:
    """The distribution's bcc package from this folder, whatever environment we run in."""
    spec = importlib.util.spec_from_file_location(
        "bcc", Path(folder) / "__init__.py", submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} is not a Python package")
    module = importlib.util.module_from_spec(spec)
    sys.modules["bcc"] = module
    spec.loader.exec_module(module)
    return module


def load(request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Compile, load each program; the answer and the descriptors: maps first, then programs."""
    os.environ["BCC_KERNEL_SOURCE"] = request["headers"]
    bcc = import_bcc(request["bcc"])
    bpf = bcc.BPF(text=request["source"], cflags=request["cflags"])
    maps = {name: bcc.lib.bpf_table_fd(bpf.module, name.encode()) for name in request["maps"]}
    programs = {
        name: bpf.load_func(name, bcc.BPF.RAW_TRACEPOINT).fd
        for name in (
            bcc.lib.bpf_function_name(bpf.module, place).decode()
            for place in range(bcc.lib.bpf_num_functions(bpf.module))
        )
    }
    return {"maps": list(maps), "programs": list(programs)}, [*maps.values(), *programs.values()]


def main() -> None:
    """Answer one request."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        answer, descriptors = load(json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001 - the parent turns whatever BCC raises into its one sentence
        answer, descriptors = {"error": f"{type(error).__name__}: {error}"}, []
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    channel.sendmsg([json.dumps(answer).encode() + b"\n"], rights)


if __name__ == "__main__":
    main()
