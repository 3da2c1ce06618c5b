"""Passwords that nobody else has are looked for wherever a run leaves anything: they may be nowhere."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.processes import descendants
from tools.running_lab import running_lab

pytestmark = pytest.mark.engine

SMALL = REPOSITORY / "tests" / "scenarios" / "small.yaml"
KEYS = ("sourcePassword", "targetPassword", "hostPassword")
NOTE = 'import json, os; open("hook.json", "w").write(json.dumps(dict(os.environ)))'
PROGRAM = b"pulumi-language-python-exec"
USER = "svc-migrate@vsphere.local"


def made_up() -> str:
    """Return a password that looks different in every notation."""
    return f'Zq"%é&<+/ {secrets.token_hex(8)}'


def notations(password: str) -> set[bytes]:
    """Return every form in which the password might turn up, as bytes."""
    plain = password.encode()
    found = {plain, plain.hex().encode(), repr(password)[1:-1].encode(), html.escape(password).encode()}
    found |= {json.dumps(password, ensure_ascii=ascii_)[1:-1].encode() for ascii_ in (True, False)}
    found |= {json.dumps(json.dumps(password))[3:-3].encode()}
    found |= {how(password).encode() for how in (quote, quote_plus)} | {quote(password, safe="").encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):  # where the password begins within three bytes decides how it reads
            first, last = (0, 2, 3)[shift], -(len(plain) + shift) % 3
            text = encode(b"\0" * shift + plain).rstrip(b"=")
            found.add(text[first : -1 if last else None])
    found.add(password.rpartition(" ")[2].encode())  # the part that no notation changes
    return found


class Passwords:
    """The passwords of one test, and the search for them."""

    def __init__(self) -> None:
        self.by_key = {key: made_up() for key in (*KEYS, "wrong")}
        self._any = re.compile(
            b"|".join(sorted(re.escape(form) for one in self.by_key.values() for form in notations(one)))
        )

    def in_bytes(self, content: bytes) -> list[bytes]:
        return [content[max(0, found.start() - 60) : found.end() + 20] for found in self._any.finditer(content)]

    def in_files(self, folder: Path) -> dict[str, list[bytes]]:
        """Return where below the folder one is written. Links lead out of it, and the lab's disks hold no bytes."""
        files = [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
        files = [file for file in files if file.stat().st_size < 1 << 26]
        return {str(file): found for file in files if (found := self.in_bytes(file.read_bytes()))}


class Watched:
    """What the processes show that this one has started: command lines and environments."""

    def __init__(self) -> None:
        self.seen: set[tuple[bytes, bytes]] = set()
        self._stop = threading.Event()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            for pid in descendants(os.getpid()) - {os.getpid()}:
                with suppress(OSError):  # it has just ended
                    folder = Path("/proc", str(pid))
                    self.seen.add(((folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()))

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Look as long as the block runs."""
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def scenario(folder: Path, passwords: Passwords) -> Path:
    """Write the small site's scenario with these passwords."""
    small = yaml.safe_load(SMALL.read_text(encoding="utf-8"))
    for vcenter, key in zip(small["vcenters"], KEYS, strict=False):
        vcenter["password"] = passwords.by_key[key]
        for host in vcenter["hosts"]:
            host["password"] = passwords.by_key["hostPassword"]
    file = folder / "secret.yaml"
    file.write_text(yaml.safe_dump(small, allow_unicode=True), encoding="utf-8")
    return file


def keep(site: Site, key: str, password: str) -> None:
    """Put the password into the stack's settings as an operator does: the engine reads it from its input, and encrypts it."""
    subprocess.run(
        ["pulumi", "--stack", "test", "config", "set", "--secret", key],
        cwd=site.folder,
        env=dict(site.project.environment),
        input=password.encode(),
        check=True,
        capture_output=True,
    )
    written = yaml.safe_load((site.folder / "stacks" / "Pulumi.test.yaml").read_text(encoding="utf-8"))
    site.config[f"esxodus:{key}"] = written["config"][f"esxodus:{key}"]


def test_no_password_is_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, watched, began = Passwords(), Watched(), time.time()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))  # of the lab, its volumes are here, and of every process of the engine
    told = []
    with running_lab(scenario(tmp_path, passwords), any_port=True) as lab:
        site = Site(tmp_path / "clone", site_config(lab, {"app01": "migrated", "tmpl01": "migrated"}))
        for key in KEYS:
            keep(site, key, passwords.by_key[key])
        hook = {"command": ["python3", "-c", NOTE], "timeout": 20}
        site.config["esxodus:waves"][0]["vms"][0]["hooks"] = {"before": hook, "after": hook}
        variables = dict(site.project.environment) | {"OPERATORS_OWN": f"x {passwords.by_key['targetPassword']} y"}
        site.project = type(site.project)(site.folder, variables)
        with watched.looking():
            told.append(site.preview())
            lab.post(
                "/faults", {"method": "RegisterVM_Task", "action": "taskFault", "fault": "InvalidState", "count": 1}
            )
            told.append(site.up(succeeds=False))
            told.append(site.up())
            told.append(site.run("refresh", "--yes"))
            told.append(site.run("stack", "export"))
            told.append(site.run("stack", "output", "--json"))
            right = site.config["esxodus:targetPassword"]
            keep(site, "targetPassword", passwords.by_key["wrong"])
            told.append(site.preview(succeeds=False))
            assert "to user svc-migrate@vsphere.local" in told[-1]
            site.config["esxodus:targetPassword"] = right
            told.append(site.run("destroy", "--yes"))
            hooked = json.loads((site.folder / "hook.json").read_text(encoding="utf-8"))
        assert passwords.in_bytes(json.dumps(lab.get("/state"), ensure_ascii=False).encode()) == []
        assert passwords.in_files(temporary) == {}, "volumes of the lab, logs of the engine"
        assert passwords.in_files(site.folder) == {}, "settings, state, history, hooks, .build"

    assert passwords.in_bytes("\n".join(told).encode()) == []
    assert len(list((site.folder / "state").rglob("*.history.json"))) >= 4, "what was looked through"
    assert hooked["ESXODUS_VM"] == "app01"
    assert not [name for name in hooked if name.startswith("PULUMI_") or name == "OPERATORS_OWN"]
    shared = REPOSITORY / ".build" / "pulumi-home"
    fresh = [file for file in shared.rglob("*") if file.is_file() and file.stat().st_mtime >= began]
    assert [file for file in fresh if passwords.in_bytes(file.read_bytes())] == []

    commands = {command for command, _ in watched.seen}
    assert any(PROGRAM in command for command in commands), "the program has been looked at"
    assert any(b"pulumi.dynamic" in command for command in commands), "so have our providers"
    assert [command for command in commands if passwords.in_bytes(command)] == []
    # The engine hands a program its settings, decrypted, in one variable; only its own user and root can read that. The other
    # one is the operator's own, which the test has set.
    shown = set()
    for command, environment in watched.seen:
        holding = {one.partition(b"=")[0] for one in environment.split(b"\0") if passwords.in_bytes(one)}
        allowed = {b"OPERATORS_OWN", b"PULUMI_CONFIG"} if PROGRAM in command else {b"OPERATORS_OWN"}
        assert holding <= allowed, command
        shown |= holding
    assert shown == {b"OPERATORS_OWN", b"PULUMI_CONFIG"}, "what can be seen is seen"


def test_the_search_finds_every_notation() -> None:
    passwords = Passwords()
    word = passwords.by_key["sourcePassword"]
    for form in notations(word):
        assert passwords.in_bytes(b"..." + form + b"...")
    for before in ("", "x", "xy", f"{USER}:"):
        for after in ("", "z", "zz"):
            assert passwords.in_bytes(base64.b64encode(f"{before}{word}{after}".encode()))
    assert passwords.in_bytes(made_up().encode()) == []
