"""Tags over a service that is only imagined: what is asked, what is made, and what becomes of a service that fails."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest
from pyVmomi import vim

from migration.errors import MigrationError, Refused, Stale, Unreachable
from migration.metadata import Metadata, Tag
from migration.model import Vm
from tests.fake_sites import a_vm
from tests.unit import vsphere_objects as raw
from vsphere import tagging
from vsphere.rest import RestError
from vsphere.site import Site
from vsphere.snapshot import Record
from vsphere.standing import Standing
from vsphere.tls import Endpoint

ROOT = "/rest/com/vmware/cis/tagging/"
ENDPOINT = Endpoint("target", "vc70", "svc", "hidden-word", thumbprint="AB")
GOLD, DAILY = Tag("tier", "gold"), Tag("backup", "daily")


class Service:
    """Categories and tags by name, and on which objects they are; counts calls, and fails where told to."""

    def __init__(self) -> None:
        self.categories: dict[str, str] = {}
        self.tags: dict[str, Tag] = {}
        self.on: dict[str, set[str]] = {}
        self.things: list[str] = []
        self.other: dict[str, set[str]] = {}
        self.calls: list[str] = []
        self.changes: list[tuple[str, Any]] = []
        self.logged_out = 0
        self.broken: dict[str, MigrationError] = {}

    def put(self, tag: Tag, *vms: str, hosts: tuple[str, ...] = ()) -> None:
        key = f"urn:tag:{len(self.tags)}"
        self.categories.setdefault(f"urn:category:{tag.category}", tag.category)
        self.tags[key], self.on[key], self.other[key] = tag, set(vms), set(hosts)

    # --- what vsphere.rest.Rest offers ---

    def __call__(self, endpoint: Endpoint) -> Service:
        assert endpoint is ENDPOINT
        return self

    def __enter__(self) -> Service:
        self._may("login")
        return self

    def __exit__(self, *_: object) -> None:
        self.logged_out += 1

    def read(self, path: str) -> Any:
        self._may(path)
        match path.removeprefix(ROOT).split("/id:"):
            case ["tag"]:
                return list(self.tags)
            case ["category"]:
                return list(self.categories)
            case ["tag", key]:
                return {"name": self.tags[key].name, "category_id": f"urn:category:{self.tags[key].category}"}
            case ["category", key]:
                return {"name": self.categories[key]}
            case _:
                raise AssertionError(path)

    def ask(self, path: str, body: Any = None) -> Any:
        self._may(path)
        if path.endswith("=list-tags-for-category"):
            name = self.categories[path.partition("/id:")[2].partition("?")[0]]
            return [key for key, tag in self.tags.items() if tag.category == name]
        if path.endswith("=list-attached-tags"):
            return [key for key, vms in self.on.items() if body["object_id"]["id"] in vms]
        assert path.endswith("=list-attached-objects-on-tags")
        assert len(body["tag_ids"]) <= 500
        return [
            {
                "tag_id": key,
                "object_ids": [{"id": vm, "type": "VirtualMachine"} for vm in sorted(self.on[key])]
                + [{"id": host, "type": "HostSystem"} for host in sorted(self.other[key])],
            }
            for key in body["tag_ids"]
            if self.on[key] or self.other[key]
        ]

    def change(self, path: str, body: Any, thing: str) -> Any:
        self._may(path)
        self.things.append(thing)
        self.changes.append((path.removeprefix(ROOT), body))
        match path.removeprefix(ROOT):
            case "category":
                name = body["create_spec"]["name"]
                self.categories[f"urn:category:{name}"] = name
                return f"urn:category:{name}"
            case "tag":
                spec = body["create_spec"]
                self.put(Tag(self.categories[spec["category_id"]], spec["name"]))
                return list(self.tags)[-1]
            case other:
                assert body["object_id"]["type"] == "VirtualMachine"
                key = other.partition("/id:")[2].partition("?")[0]
                if key not in self.on:
                    raise RestError("there is no such tag", "not_found", 404)
                self.on[key].add(body["object_id"]["id"])
        return None

    def _may(self, path: str) -> None:
        self.calls.append(path)
        for part, error in self.broken.items():
            if part in path:
                raise error


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(tagging, "Rest", made)
    monkeypatch.setattr(tagging, "_known", {})
    return made


class Told:
    """The part of a site that tagging needs."""

    endpoint = ENDPOINT

    def __init__(self) -> None:
        self.tags: dict[str, frozenset[Tag]] = {}
        self.watch = self  # which knows objects by name
        self.standing = Standing(tags={})

    def name(self, key: str) -> str:
        return f"name of {key}"

    def inventory(self) -> Told:
        return self

    def identified(self, vm: Vm) -> Record:
        return raw.record(vim.VirtualMachine, vm.name)

    def tagged(self, vm: str, tags: frozenset[Tag]) -> None:
        self.tags[vm] = tags


def attach(told: Told, *tags: Tag, vm: str = "vm-1") -> tuple[str, ...]:
    return tagging.attach(cast("Site", told), raw.ref(vim.VirtualMachine, vm), tags)


def test_the_tags_of_each_vm(service: Service) -> None:
    service.put(GOLD, "vm-1", "vm-2", hosts=("host-1",))
    service.put(DAILY, "vm-1")
    service.put(Tag("tier", "tin"))
    assert tagging.read(ENDPOINT) == {"vm-1": frozenset({GOLD, DAILY}), "vm-2": frozenset({GOLD})}
    assert (service.changes, service.logged_out) == ([], 1)


def test_a_site_without_tags_has_a_service_that_works(service: Service) -> None:
    assert tagging.read(ENDPOINT) == {}
    assert service.logged_out == 1


def test_the_cost_grows_neither_with_vms_nor_with_tags_that_no_vm_has(service: Service) -> None:
    service.put(GOLD, *(f"vm-{number}" for number in range(500)))
    for number in range(1200):
        service.put(Tag("room", str(number)), hosts=(f"host-{number}",))
    assert len(tagging.read(ENDPOINT) or {}) == 500
    assert len(service.calls) == 1 + 1 + 3 + 2  # the login, the list, three pages, the name of one tag and its category


def test_a_vcenter_without_the_service(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    service.broken["/tag"] = RestError("no such thing", "HTTP status 404", 404)
    assert tagging.read(ENDPOINT) is None
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert service.logged_out == 1


@pytest.mark.parametrize("error", [Unreachable("gone"), Refused("no"), RestError("broken", "internal", 400)])
def test_a_service_that_fails_stops_nothing(
    service: Service, error: MigrationError, caplog: pytest.LogCaptureFixture
) -> None:
    service.broken["login"] = error
    assert tagging.read(ENDPOINT) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "tags cannot be read" in caplog.text


def test_attaching_makes_what_is_missing_and_says_what_is_there(service: Service) -> None:
    service.put(Tag("tier", "silver"), "vm-1")
    told = Told()
    assert attach(told, GOLD, DAILY) == ()
    assert told.tags == {"vm-1": {GOLD, DAILY, Tag("tier", "silver")}}
    made = [(path, body["create_spec"]["name"]) for path, body in service.changes if "create_spec" in body]
    assert made == [("category", "backup"), ("tag", "daily"), ("tag", "gold")]
    assert service.things == ["backup", "daily", "name of vm-1", "gold", "name of vm-1"], (
        "for the record of what was done"
    )
    assert service.changes[0][1]["create_spec"]["cardinality"] == "MULTIPLE"
    assert service.logged_out == 1


def test_attaching_what_exists_makes_nothing(service: Service) -> None:
    service.put(GOLD, "vm-2")
    assert attach(Told(), GOLD) == ()
    assert [path for path, _ in service.changes] == ["tag-association/id:urn:tag:0?~action=attach"]


@pytest.mark.parametrize("error", [RestError("takes one", "invalid_argument", 400), Refused("AttachTag is missing")])
def test_one_tag_that_cannot_be_attached_does_not_keep_the_others(service: Service, error: MigrationError) -> None:
    service.put(GOLD)
    service.put(DAILY)
    service.broken["urn:tag:0?~action=attach"] = error
    told = Told()
    assert attach(told, GOLD, DAILY) == (f"tag tier/gold: {error}",)
    assert told.tags == {"vm-1": {DAILY}}


def test_a_broken_connection_is_for_the_caller(service: Service) -> None:
    service.put(GOLD)
    service.broken["attach"] = Unreachable("gone")
    with pytest.raises(Unreachable):
        attach(Told(), GOLD)
    assert service.logged_out == 1


def test_what_is_met_once_is_not_asked_for_again(service: Service) -> None:
    for number in range(50):
        service.put(Tag("tier", str(number)))
    attach(Told(), Tag("tier", "7"), vm="vm-1")
    asked = len(service.calls)
    assert asked > 50
    attach(Told(), Tag("tier", "7"), Tag("tier", "8"), vm="vm-2")
    assert len(service.calls) == asked + 4  # the login, two tags that are attached, and what is on it by now
    tagging.read(ENDPOINT)
    service.calls.clear()
    attach(Told(), Tag("tier", "9"), vm="vm-3")
    assert len(service.calls) > 50, "a new session asks anew for what is on no VM"


def test_a_tag_that_was_deleted_or_renamed_meanwhile_is_found_or_made_anew(service: Service) -> None:
    service.put(GOLD, "vm-9")
    attach(Told(), GOLD)
    del service.tags["urn:tag:0"], service.on["urn:tag:0"]
    service.tags["urn:tag:5"], service.on["urn:tag:5"] = GOLD, set()
    assert attach(Told(), GOLD) == ()
    assert service.on["urn:tag:5"] == {"vm-1"}
    service.tags["urn:tag:5"] = silver = Tag("tier", "silver")
    assert attach(Told(), silver, vm="vm-2") == ()
    assert service.on["urn:tag:5"] == {"vm-1", "vm-2"}


def confirm(told: Told, *tags: Tag) -> None:
    tagging.confirm(cast("Site", told), a_vm("vm-1", metadata=Metadata(tags=frozenset(tags))))


def test_a_tag_that_somebody_has_given_or_taken_meanwhile_is_told(service: Service) -> None:
    service.put(GOLD, "vm-1")
    told = Told()
    confirm(told, GOLD)
    assert told.tags == {}
    service.put(DAILY, "vm-1")
    with pytest.raises(Stale, match="vm-1: somebody has changed its tags"):
        confirm(told, GOLD)
    assert told.tags == {"vm-1": {GOLD, DAILY}}
    assert service.changes == []


def test_a_service_that_fails_then_keeps_nothing_from_departing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.broken["list-attached-tags"] = Unreachable("gone")
    told = Told()
    confirm(told, GOLD)
    assert "vm-1: whether its tags have changed cannot be read" in caplog.text
    told.standing = Standing()
    service.calls.clear()
    confirm(told)
    assert service.calls == [], "a vCenter whose tags cannot be read is not asked"
