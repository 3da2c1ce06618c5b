"""What our user must be allowed to do, and what it is found to lack."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyVmomi import vim

from migration.errors import Refused, Unreachable
from tests.unit import vsphere_objects as raw
from vsphere.privileges import BUILDING, NEEDED, lacking, needed
from vsphere.session import Session, moref
from vsphere.snapshot import Record, Snapshot

ROOT = raw.ref(vim.Folder, "group-d1")
NEWER = {one.id for one in NEEDED if one.since}


class Asked:
    """A session whose user has every privilege but these, by object id."""

    endpoint = "source vCenter vc60"

    def __init__(self, missing: dict[str, set[str]], error: Exception | None = None) -> None:
        self.missing, self.error = missing, error
        self.asked: list[tuple[list[str], str, list[str]]] = []
        sessions = SimpleNamespace(currentSession=SimpleNamespace(key="key-1"))
        authorization = SimpleNamespace(HasPrivilegeOnEntities=self.answer)
        self.content = SimpleNamespace(authorizationManager=authorization, sessionManager=sessions, rootFolder=ROOT)

    def read(self, doing: str, call: Callable[[], Any]) -> Any:
        assert doing
        return call()

    def answer(self, entities: list[Any], key: str, ids: list[str]) -> Any:
        if self.error:
            raise self.error
        self.asked.append(([moref(one) for one in entities], key, ids))
        kind = vim.AuthorizationManager
        return [
            kind.EntityPrivilege(
                entity=one,
                privAvailability=[
                    kind.PrivilegeAvailability(privId=id_, isGranted=id_ not in self.missing.get(moref(one), ()))
                    for id_ in ids
                ],
            )
            for one in entities
        ]


def ask(asked: Asked, snapshot: Snapshot | None = None, site: str = "source", api: tuple[int, ...] = (7, 0)) -> Any:
    return lacking(cast("Session", asked), site, snapshot or raw.site(), api)


def test_the_table_says_each_privilege_once_and_why() -> None:
    assert len({one.id for one in NEEDED}) == len(NEEDED)
    assert all(one.why and one.sites for one in NEEDED)


def test_what_is_needed_where() -> None:
    source, target = ({one.id for one in needed(site, (7, 0))} for site in ("source", "target"))
    assert source <= target
    assert "Host.Config.Storage" in source, "an old datastore that is retired is unmounted there too"
    assert {one.id for one in needed("relay", (7, 0))} == {one.id for one in NEEDED}
    assert {one.id for one in needed("target", (6, 0))} == target - NEWER


def test_a_user_who_may_do_everything_lacks_nothing_and_is_asked_about_once() -> None:
    asked = Asked({})
    assert ask(asked) == ()
    ((entities, key, ids),) = asked.asked
    assert (entities, key) == (["group-d1", "datacenter-1"], "key-1")
    assert set(ids) == {one.id for one in needed("source", (7, 0))}


def test_an_older_vcenter_is_not_asked_what_it_does_not_know() -> None:
    asked = Asked({})
    ask(asked, api=(6, 0))
    assert not NEWER & set(asked.asked[0][2])


def test_what_is_missing_is_named_with_its_object() -> None:
    asked = Asked({"datacenter-1": {"Network.Assign", "Folder.Create"}, "group-d1": {"Global.ManageCustomFields"}})
    assert ask(asked) == (
        ("the root folder", "Global.ManageCustomFields"),
        ("tokyo6", "Folder.Create"),
        ("tokyo6", "Network.Assign"),
    )


def test_a_user_with_rights_on_the_datacenter_alone_needs_few_on_the_root() -> None:
    everywhere = {one.id for one in NEEDED}
    found = ask(Asked({"group-d1": everywhere}))
    assert {privilege for _, privilege in found} == {one.id for one in NEEDED if one.on == "root"}


def test_what_is_needed_on_the_root_need_not_be_granted_below() -> None:
    assert ask(Asked({"datacenter-1": {"Global.ManageCustomFields"}})) == ()


def test_where_there_is_no_datacenter_yet_the_root_is_asked() -> None:
    empty = Snapshot({}, {}, {}, 1)
    assert ask(Asked({"group-d1": {"Network.Assign"}}), empty) == (("the root folder", "Network.Assign"),)


def test_a_target_without_a_datacenter_has_to_be_built() -> None:
    empty = Snapshot({}, {}, {}, 1)
    everything = {one.id for one in (*NEEDED, *BUILDING)}
    lacks = Asked({"group-d1": everything})
    assert {privilege for _, privilege in ask(lacks, empty, "target")} == everything
    assert {privilege for _, privilege in ask(lacks, empty, "source")} == {one.id for one in needed("source", (7, 0))}
    assert {one.id for one in BUILDING}.isdisjoint(privilege for _, privilege in ask(lacks, None, "target"))


def test_what_cannot_be_asked_is_not_lacking(caplog: pytest.LogCaptureFixture) -> None:
    assert ask(Asked({}, Refused("no"))) == ()
    assert "cannot be asked" in caplog.text


def test_a_broken_connection_is_for_the_caller() -> None:
    with pytest.raises(Unreachable):
        ask(Asked({}, Unreachable("gone")))


def test_every_datacenter_is_asked() -> None:
    second: Record = raw.record(vim.Datacenter, "datacenter-2", name="osaka%2f1", parent=ROOT)
    found = ask(Asked({"datacenter-2": {"Network.Assign"}}), raw.site(second))
    assert found == (("osaka/1", "Network.Assign"),)
