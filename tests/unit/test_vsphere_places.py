"""Where an arriving VM is put, over a site that is only imagined: what exists is taken, what is missing is made once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from pyVmomi import vim

from migration.actions import Cross, Register
from migration.errors import Blocked, Busy, MigrationError, Refused
from migration.metadata import Allocation, Pool
from migration.model import File
from tests.unit import vsphere_objects as raw
from vsphere import places
from vsphere.inventory import Inventory
from vsphere.session import moref
from vsphere.site import Site

POOLS = (
    Pool("production", Allocation("low"), Allocation("low")),
    Pool("production/web%2fshop", Allocation("6000", 500, 2400, False), Allocation("high", 1024)),
)


@dataclass
class Imagined:
    """The part of a site that placing needs; making something answers `made`, or fails with it."""

    snapshot: Any = field(default_factory=raw.site)
    answers: list[Any] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    name = "target"

    @property
    def session(self) -> Imagined:
        return self

    def inventory(self) -> Inventory:
        return Inventory("target", "vc70", self.snapshot)

    def send(self, doing: str, call: Any, subject: str) -> Any:
        assert callable(call)
        assert subject == "app01"
        self.done.append(doing)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def site(self) -> Site:
        return cast("Site", self)


def register(folder: str = "", pool: str = "", pools: tuple[Pool, ...] = ()) -> Register:
    where = File("vmfs:5678-ab", "app01/app01.vmx")
    return Register(
        "target", where, "app01", "tokyo6", "prod6", folder, pool, "", frozenset(), frozenset(), pools=pools
    )


def refusing(error: MigrationError, cause: BaseException) -> MigrationError:
    error.__cause__ = cause
    return error


def chosen(imagined: Imagined, action: Register) -> tuple[str, list[str]]:
    said: list[str] = []
    cluster = imagined.inventory().named(vim.ComputeResource, "prod6")
    assert cluster is not None
    pool = places.pool(imagined.site, cluster, action, lambda what, _: said.append(what))
    return moref(pool), said


def test_no_pool_is_the_root_pool() -> None:
    assert chosen(Imagined(), register()) == ("resgroup-1", [])


def test_a_pool_that_exists_is_taken_as_it_is() -> None:
    imagined = Imagined()
    assert chosen(imagined, register(pool="production/databases", pools=POOLS)) == ("resgroup-3", [])
    assert imagined.done == []


def test_only_what_is_missing_of_a_path_is_made() -> None:
    imagined = Imagined(answers=[raw.ref(vim.ResourcePool, "resgroup-9")])
    assert chosen(imagined, register(pool="production/web%2fshop", pools=POOLS))[0] == "resgroup-9"
    assert imagined.done == ["app01: create the resource pool production/web%2fshop"]


def test_one_that_another_thread_has_just_made_is_taken() -> None:
    there = vim.fault.DuplicateName(name="web%2fshop", object=raw.ref(vim.ResourcePool, "resgroup-7"))
    imagined = Imagined(answers=[refusing(Blocked(()), there)])
    assert chosen(imagined, register(pool="production/web%2fshop", pools=POOLS))[0] == "resgroup-7"


@pytest.mark.parametrize("error", [Blocked(()), Refused("no privilege")])
def test_one_that_cannot_be_made_leaves_the_one_above_and_says_so(error: MigrationError) -> None:
    imagined = Imagined(answers=[error])
    found, said = chosen(imagined, register(pool="production/web%2fshop/deeper", pools=POOLS))
    assert found == "resgroup-2"
    assert "cannot create the resource pool production/web%2fshop" in said[-1]
    assert len(imagined.done) == 1


def test_without_its_settings_none_is_made() -> None:
    imagined = Imagined()
    found, said = chosen(imagined, register(pool="production/unknown/deeper", pools=POOLS))
    assert found == "resgroup-2"
    assert said == ["no resource pool production/unknown, and its settings are not known: taking the one above it"]


def test_what_passes_by_itself_is_for_the_caller() -> None:
    with pytest.raises(Busy):
        chosen(Imagined(answers=[Busy("busy")]), register(pool="production/web%2fshop", pools=POOLS))


def folder(imagined: Imagined, path: str) -> str:
    datacenter = imagined.inventory().named(vim.Datacenter, "tokyo6")
    assert datacenter is not None
    return moref(places.folder(imagined.site, datacenter, register(path), lambda *_: None))


def test_folders_that_exist_are_taken_whatever_their_case_and_the_others_made() -> None:
    assert folder(Imagined(), "") == "group-v1"
    assert folder(Imagined(), "Apps/web%2fshop") == "group-v3"
    imagined = Imagined(answers=[raw.ref(vim.Folder, "group-v8"), raw.ref(vim.Folder, "group-v9")])
    assert folder(imagined, "apps/new/deep") == "group-v9"
    assert imagined.done == ["app01: create the folder new", "app01: create the folder deep"]


@pytest.mark.parametrize(("host", "identifier"), [("esx60-1.lab", ""), ("esx99.lab", "register.no-host")])
def test_a_host_that_is_not_there_blocks(host: str, identifier: str) -> None:
    if not identifier:
        assert places.place(Imagined().site, register(), host).host.moref == "host-1"
        return
    with pytest.raises(Blocked) as raised:
        places.place(Imagined().site, register(), host)
    assert [concern.id for concern in raised.value.concerns] == [identifier]


def test_a_crossing_is_told_apart_from_a_registration() -> None:
    action = Cross("target", "app01", "tokyo9", "prod6", "", "", (), "", {}, {}, (), 0, live=True)
    with pytest.raises(Blocked, match=r"the datacenter 'tokyo9' that it should be moved to \[cross\.no-datacenter\]"):
        places.place(Imagined().site, action, "esx60-1.lab")
