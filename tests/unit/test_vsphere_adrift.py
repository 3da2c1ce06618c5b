"""A VM that is registered nowhere, found on volumes that are told what to hold: no server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyVmomi import vim

from migration.errors import Blocked, Stale
from migration.model import File
from migration.wanted import Identity
from tests.unit import vsphere_objects as raw
from vsphere.adrift import Drift
from vsphere.inventory import Inventory
from vsphere.site import Site

UUID = "502a1122-3344-5566-7788-99aabbccddee"
VOLUME = "vmfs:5678-ab"


class Volumes:
    """A site of which one datastore holds files; counts what is asked of it."""

    def __init__(self, files: dict[str, str]) -> None:
        self.name = "source"
        self.files = files
        self.searches = 0
        self.reads: list[str] = []
        self.session = self

    def run(self, *_asked: Any) -> list[Any]:
        self.searches += 1
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


def test_it_is_searched_again_once_something_was_registered_or_unregistered() -> None:
    volumes = Volumes({})
    lost = drift(volumes)
    assert lost.find(Identity("app01"), inventories()) == ()
    volumes.files["app01/app01.vmx"] = vmx("app01")
    assert lost.find(Identity("app01"), inventories()) == ()
    assert len(lost.find(Identity("app01"), inventories(raw.machine("vm-2", "another")))) == 1
    assert volumes.searches == 2


def test_what_this_process_unregistered_needs_no_search() -> None:
    volumes = Volumes({"app01/app01.vmx": vmx("app01")})
    lost = drift(volumes)
    lost.left(File(VOLUME, "app01/app01.vmx"))
    assert len(lost.find(Identity("app01"), inventories())) == 1
    assert volumes.searches == 0


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
