"""Tags over a service that is only imagined: what is asked, what is made, and what becomes of a service that fails."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest
from pyVmomi import vim

from migration.errors import MigrationError, Refused, Unreachable
from migration.metadata import Tag
from tests.unit import vsphere_objects as raw
from vsphere import tagging
from vsphere.rest import RestError
from vsphere.site import Site
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
                self.on[other.partition("/id:")[2].partition("?")[0]].add(body["object_id"]["id"])
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
    return made


class Told:
    """The part of a site that tagging needs."""

    endpoint = ENDPOINT

    def __init__(self) -> None:
        self.tags: dict[str, frozenset[Tag]] = {}
        self.watch = self  # which knows objects by name

    def name(self, key: str) -> str:
        return f"name of {key}"

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
