"""A VM that is registered nowhere, found on volumes that are told what to hold: no server."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyVmomi import vim

from migration.errors import Blocked, Stale
from migration.model import File
from migration.wanted import Identity
from tests.fake_sites import a_vm
from tests.unit import vsphere_objects as raw
from tests.unit.test_decide import PAPERS
from vsphere.adrift import AGAIN, Drift
from vsphere.inventory import Inventory
from vsphere.site import Site

UUID = "502a1122-3344-5566-7788-99aabbccddee"
VOLUME = "vmfs:5678-ab"
APP01 = File(VOLUME, "app01/app01.vmx")
OURS = a_vm(instance_uuid=UUID, vmx=APP01)
WHO = Identity("app01", UUID)


class Volumes:
    """A site of which one datastore holds files; counts what is asked of it."""

    def __init__(self, files: dict[str, str]) -> None:
        self.name = "source"
        self.files = files
        self.searches = 0
        self.reads: list[str] = []
        self.session = self
        self.searching: threading.Event | None = None
        self.go_on: threading.Event | None = None

    def run(self, *_asked: Any) -> list[Any]:
        self.searches += 1
        if self.searching and self.go_on:
            self.searching.set()
            assert self.go_on.wait(10)
        found = []
        for path in self.files:
            folder, _, file = path.rpartition("/")
            found.append(SimpleNamespace(folderPath=f"[old-fc-01] {folder}/", file=[SimpleNamespace(path=file)]))
        return found

    def download(self, path: str, query: dict[str, str], limit: int) -> bytes | None:
        assert (query["dcPath"], query["dsName"]) == ("tokyo6", "old-fc-01")
        assert limit
        self.reads.append(path.removeprefix("/folder/"))
        content = self.files.get(path.removeprefix("/folder/"))
        return None if content is None else content.encode()


def vmx(name: str, uuid: str = UUID) -> str:
    return f'displayName = "{name}"\nvc.uuid = "{uuid}"\n'


def drift(volumes: Volumes) -> Drift:
    return Drift({"source": cast("Site", volumes)}, ["old-fc-01"])


def vmx_text(papers: str) -> str:
    escaped = papers.replace("|", "|7C").replace('"', "|22")
    return f'esxodus.papers = "{escaped}"\n'


def inventories(*more: Any) -> dict[str, Inventory]:
    return {"source": Inventory("source", "vc60", raw.site(*more))}


def test_it_is_found_by_name_and_by_uuid_with_one_search() -> None:
    volumes = Volumes({"app01/app01.vmx": vmx("app01"), "b/other.vmx": vmx("other", "")})
    lost = drift(volumes)
    for who in (Identity("app01"), Identity("renamed", UUID.upper())):
        (found,) = lost.find(who, inventories())
        assert found.vmx == File(VOLUME, "app01/app01.vmx")
    assert lost.find(Identity("nobody"), inventories()) == ()
    assert volumes.searches == 1


def test_another_uuid_is_another_vm_though_it_bears_the_name() -> None:
    volumes = Volumes({"app01/app01.vmx": vmx("app01")})
    assert drift(volumes).find(Identity("app01", UUID.replace("5", "6")), inventories()) == ()


def test_what_is_registered_is_not_adrift() -> None:
    volumes = Volumes({"app01/app01.vmx": vmx("app01")})
    lost = drift(volumes)
    assert lost.find(Identity("app01"), inventories(raw.machine("vm-1", "app01"))) == ()
    assert volumes.reads == []
    assert len(lost.find(Identity("app01"), inventories())) == 1
    assert volumes.searches == 1, "the files were known already"


def test_it_is_searched_again_once_somebody_else_has_unregistered_something() -> None:
    volumes = Volumes({})
    lost = drift(volumes)
    another = raw.machine("vm-2", "another")
    assert lost.find(Identity("app01"), inventories(another)) == ()
    volumes.files["app01/app01.vmx"] = vmx("app01")
    assert lost.find(Identity("app01"), inventories(another, raw.machine("vm-3", "new"))) == ()
    assert len(lost.find(Identity("app01"), inventories())) == 1
    assert volumes.searches == 2


def test_what_is_not_found_is_searched_for_once_a_minute_whatever_this_process_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    volumes = Volumes({})
    lost = drift(volumes)
    mistyped = Identity("ap01")
    moved = raw.machine("vm-1", "app01", config__files__vmPathName="[old-fc-01] app01_1/app01.vmx")
    for seen in (raw.machine("vm-1", "app01"), moved, raw.machine("vm-7", "app01")):
        assert lost.find(mistyped, inventories(seen)) == ()
    lost.left(a_vm(instance_uuid="uuid-of-app01", vmx=APP01))
    assert lost.find(mistyped, inventories()) == ()
    assert volumes.searches == 1
    clock[0] += AGAIN
    assert lost.find(mistyped, inventories()) == ()
    assert volumes.searches == 2


def test_what_this_process_unregistered_needs_no_search() -> None:
    volumes = Volumes({"app01/app01.vmx": vmx("app01"), "b/b.vmx": vmx("b", "")})
    lost = drift(volumes)
    lost.left(OURS)
    lost.left(a_vm("b", vmx=File(VOLUME, "b/b.vmx")))
    assert len(lost.find(Identity("app01"), inventories())) == 1
    assert volumes.searches == 0
    assert volumes.reads == ["app01/app01.vmx"], "that of the other one is not for this one to read"


def test_who_needs_no_search_does_not_wait_for_one() -> None:
    volumes = Volumes({"app01/app01.vmx": vmx("app01")})
    lost = drift(volumes)
    volumes.searching = searching = threading.Event()
    volumes.go_on = threading.Event()
    found: list[Any] = []
    searcher = threading.Thread(target=lambda: found.append(lost.find(Identity("nobody"), inventories())), daemon=True)
    searcher.start()
    assert searching.wait(10)

    def depart() -> None:
        lost.left(OURS)
        found.append(lost.find(WHO, inventories()))

    done = threading.Thread(target=depart, daemon=True)
    done.start()
    done.join(10)
    assert [len(one) for one in found] == [1]
    volumes.go_on.set()
    searcher.join(10)
    assert [len(one) for one in found] == [1, 0]


def test_of_many_who_need_a_search_one_searches() -> None:
    volumes = Volumes({f"{name}/{name}.vmx": vmx(name, "") for name in "abcdefgh"})
    lost = drift(volumes)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: lost.find(Identity(name), inventories()), "abcdefgh"))
    assert [one.name for (one,) in found] == list("abcdefgh")
    assert volumes.searches == 1
    assert len(volumes.reads) == 16, "each by who searched, and then by who meant it"


def test_a_copy_without_papers_is_not_taken_for_the_vm() -> None:
    papers = vmx_text(PAPERS.dumps())
    copy, away = vmx("app01"), vmx("app01") + papers
    lost = drift(Volumes({"app01/app01.vmx": away, "app01-old/app01.vmx": copy}))
    assert [one.vmx.path for one in lost.find(WHO, inventories())] == ["app01/app01.vmx"]
    lost = drift(Volumes({"app01/app01.vmx": away, "app01-old/app01.vmx": away}))
    assert len(lost.find(WHO, inventories())) == 2, "nothing tells which of the two it is"
    lost.left(OURS)
    assert [one.vmx.path for one in lost.find(WHO, inventories())] == ["app01/app01.vmx"]
    lost.entered(OURS.vmx)
    assert len(lost.find(WHO, inventories())) == 2, "whoever has unregistered it now"


def test_a_file_that_is_gone_is_forgotten_and_one_that_changed_is_read_anew() -> None:
    volumes = Volumes({"app01/app01.vmx": vmx("app01")})
    lost = drift(volumes)
    assert lost.find(Identity("app01"), inventories())[0].nics == ()
    volumes.files["app01/app01.vmx"] += 'ethernet0.present = "TRUE"\n'
    assert len(lost.find(Identity("app01"), inventories())[0].nics) == 1
    del volumes.files["app01/app01.vmx"]
    assert lost.find(Identity("app01"), inventories()) == ()


@pytest.mark.parametrize(("state", "error"), [("inaccessible", Blocked), ("connected", Stale)])
def test_nothing_is_adrift_while_a_vm_of_unknown_files_may_own_it(state: str, error: type[Exception]) -> None:
    unknown = raw.record(vim.VirtualMachine, "vm-9", name="Unknown", runtime__connectionState=state)
    lost = drift(Volumes({"app01/app01.vmx": vmx("app01")}))
    with pytest.raises(error, match="Unknown"):
        lost.find(Identity("app01"), inventories(unknown))


@pytest.mark.parametrize("state", ["inaccessible", "connected"])
def test_what_this_process_unregistered_is_nobody_elses(state: str) -> None:
    unknown = raw.record(vim.VirtualMachine, "vm-9", name="Unknown", runtime__connectionState=state)
    lost = drift(Volumes({"app01/app01.vmx": vmx("app01")}))
    lost.left(OURS)
    assert [one.vmx for one in lost.find(WHO, inventories(unknown))] == [APP01]
