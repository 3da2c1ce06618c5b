"""A fake of the two sites for tests of the migration: it behaves by `migration.expect` and refuses what vSphere refuses.

The contract tests (tests/lab/test_contract.py) run on this fake and on the lab alike, which keeps it honest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from migration import expect
from migration.actions import (
    Action,
    Answer,
    Cross,
    Hold,
    MakeTemplate,
    MakeVm,
    Placed,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    RestoreMetadata,
    ShutDown,
    Unregister,
    WritePapers,
)
from migration.errors import Blocked, Stale, Unexpected
from migration.model import Adrift, Concern, Disk, File, InFlight, Nic, Power, Question, Severity, Tools, Vm
from migration.observation import Host, Observation, SiteView, Volume
from migration.sites import Progress
from migration.wanted import Identity

OLD = (Volume("vmfs:a", "old-a", 500, 1000), Volume("vmfs:b", "old-b", 500, 1000))
NEW = (Volume("vmfs:n1", "gold7-01", 900, 1000), Volume("vmfs:n2", "gold7-02", 800, 1000))
QUESTION = Question(
    "7",
    "msg.uuid.altered: moved or copied?",
    ("msg.uuid.altered",),
    {"0": "Cancel", "1": "I Moved It", "2": "I Copied It"},
)


def a_vm(name: str = "app01", **changes: object) -> Vm:
    """Return a VM as the source shows it: on, one disk, one card, Tools running; `changes` replace fields."""
    vm = Vm(
        site="source",
        name=name,
        instance_uuid=f"5000-{name}",
        bios_uuid=f"4200-{name}",
        vmx=File("vmfs:a", f"{name}/{name}.vmx"),
        power=Power.ON,
        datacenter="tokyo6",
        cluster="prod6",
        folder="apps",
        pool="production",
        host="esx60-1",
        disks=(Disk(2000, "Hard disk 1", File("vmfs:a", f"{name}/{name}.vmdk"), 40, 12),),
        nics=(Nic(4000, "Network adapter 1", "00:50:56:00:00:01", "VM Network"),),
        hardware=11,
        tools=Tools.RUNNING,
        attributes={"owner": "sato"},
    )
    return replace(vm, **changes)  # type: ignore[arg-type]


class Killed(BaseException):
    """The process died here: not an error that anything could catch."""


@dataclass
class FakeSites:
    """Both sites in memory.

    `versions` are those of source and target, `roles` the roles that both know. `guest_obeys` says whether a guest shuts down
    when asked; `before` and `after` are called around each action with it, and may raise. `writes` counts what was performed.
    """

    vms: list[Vm] = field(default_factory=list)
    versions: tuple[str, str] = ("6.0.0", "7.0.3")
    roles: frozenset[str] = frozenset({"Virtual machine user"})
    adrift: list[Adrift] = field(default_factory=list)
    guest_obeys: bool = True
    asks: bool = True
    before: Callable[[Action], None] = lambda action: None
    after: Callable[[Action], None] = lambda action: None
    writes: list[Action] = field(default_factory=list)
    version: int = 1
    located: dict[str, str] = field(default_factory=dict)
    """Where each VM was last powered on: the uuid.location of its .vmx."""

    def views(self) -> dict[str, SiteView]:
        """Return what each site offers."""
        old, new = frozenset(volume.id for volume in OLD), frozenset(volume.id for volume in NEW)
        source = tuple(
            Host(
                f"esx60-{n}",
                "prod6",
                True,
                self._count(f"esx60-{n}"),
                200,
                frozenset({"VM Network", "DMZ"}),
                old,
                self.versions[0],
                hardware=11,
            )
            for n in (1, 2)
        )
        target = tuple(
            Host(
                f"esx70-{n}",
                "prod7",
                True,
                self._count(f"esx70-{n}"),
                700,
                frozenset({"pg-prod", "pg-dmz"}),
                old | new,
                self.versions[1],
                hardware=19,
            )
            for n in (1, 2, 3)
        )
        return {
            "source": SiteView(
                "source", "vc60", source, OLD, frozenset({"VM Network", "DMZ"}), self.versions[0], roles=self.roles
            ),
            "target": SiteView(
                "target",
                "vc70",
                target,
                OLD + NEW,
                frozenset({"pg-prod", "pg-dmz"}),
                self.versions[1],
                roles=self.roles,
            ),
        }

    def _count(self, host: str) -> int:
        return sum(vm.host == host for vm in self.vms)

    def observe(self, who: Identity, *, look_adrift: bool = True) -> tuple[Observation, int]:
        """See migration.sites.Sites."""
        by_uuid = [vm for vm in self.vms if who.instance_uuid and vm.instance_uuid == who.instance_uuid]
        vms = by_uuid or [vm for vm in self.vms if not who.instance_uuid and vm.name == who.name]
        found = [
            one
            for one in self.adrift
            if one.instance_uuid == who.instance_uuid or (not who.instance_uuid and one.name == who.name)
        ]
        adrift = tuple(found) if look_adrift and not vms else ()
        return Observation(tuple(vms), self.views(), adrift), self.version

    def wait(self, version: int, timeout: float) -> bool:
        """Let whatever is in flight end, and say whether there is news."""
        del timeout
        for vm in self.vms:
            if vm.in_flight:
                self._put(vm, replace(vm, in_flight=None))
        return self.version > version

    def perform(self, vm: Vm | None, action: Action, placed: Placed, progress: Progress) -> bool:
        """See migration.sites.Sites; the assertions are what vSphere would refuse, or what must never be asked of it."""
        progress("", 50)
        self.before(action)
        now = next(
            (one for one in self.vms if vm and one.instance_uuid == vm.instance_uuid and one.site == vm.site),
            None,
        )
        if vm is not None and now is None:
            raise Stale(f"{vm.name} is gone from {vm.site}")
        if isinstance(action, Register):
            done = self._register(action, placed)
        else:
            assert vm is not None
            done = self._change(vm, now, action, placed)
        if done and not isinstance(action, Hold):
            self.writes.append(action)
        self.after(action)
        return done

    def _register(self, action: Register, placed: Placed) -> bool:
        found = next((one for one in self.adrift if one.vmx == action.vmx), None)
        if found is None:
            raise Unexpected("AlreadyExists or FileNotFound")
        assert not any(vm.instance_uuid == found.instance_uuid for vm in self.vms), "registered at two sites"
        view = self.views()[action.site]
        assert found.volumes <= {volume.id for volume in view.volumes}, "a datastore that the site does not see"
        host = next(host for host in view.hosts if host.name == placed.host)
        assert action.networks <= host.networks
        self.adrift.remove(found)
        vm = expect.registered(found, action, placed)
        self.vms.append(vm)
        self.version += 1
        return True

    def _change(self, seen: Vm, now: Vm | None, action: Action, placed: Placed) -> bool:
        assert now is not None
        if now.held_by and (seen.held_by is None or now.held_by.run != seen.held_by.run):
            raise Stale("another run has taken it up")
        if now.template is not seen.template:
            raise Stale("somebody has made it a template, or a VM")
        assert now.in_flight is None, "two tasks on one VM"
        match action:
            case WritePapers(lease=ours) | Hold(lease=ours):
                assert not now.template or isinstance(action, Hold), "NotSupported: a template"
                if now.lease != seen.lease and not (now.lease and ours and now.lease.run == ours.run):
                    raise Stale("somebody has changed it meanwhile")
            case ShutDown() if not self._obeys(now):
                return now.power is Power.OFF
            case Unregister():
                assert now.power is Power.OFF, "unregistered while running"
                self.vms.remove(now)
                self.adrift.append(expect.adrift(now))
                self.version += 1
                return True
            case Reconnect() | Relocate():
                assert not now.template, "NotSupported: a template"
                if isinstance(action, Relocate):
                    visible = {volume.id for volume in self.views()[now.site].volumes}
                    assert ({placed.volume} if placed.volume else set(action.to.values())) <= visible
                if isinstance(action, Reconnect):
                    assert set(action.networks.values()) <= self.views()[now.site].networks
            case PowerOn():
                assert not now.template, "NotSupported: a template"
                assert sum(vm.power is Power.ON for vm in self.vms if vm.instance_uuid == now.instance_uuid) == 0
                assert {nic.network for nic in now.nics} <= self.views()[now.site].networks, "no such network"
                place = f"{now.site}:{now.vmx}"
                if self.asks and self.located.get(now.instance_uuid, place) != place and now.question is None:
                    self._put(now, replace(now, question=QUESTION, in_flight=None))
                    return True
            case Answer(key=key):
                if now.question is None:
                    raise Stale("somebody has answered")
                assert now.question.choices[key] == "I Moved It"
                self._put(now, replace(now, question=None, power=Power.ON, tools=_started(now.tools)))
                self.located[now.instance_uuid] = f"{now.site}:{now.vmx}"
                return True
            case Cross():
                self._may_cross(now, action, placed)
                self.located[now.instance_uuid] = f"{action.site}:{expect.changed(now, action, placed).vmx}"
            case RestoreMetadata(metadata):
                known = frozenset(one for one in metadata.permissions if one.role in self.roles)
                action = RestoreMetadata(replace(metadata, permissions=known))
            case MakeTemplate():
                assert now.power is Power.OFF
                assert not now.template
            case MakeVm():
                assert now.template
            case PowerOff():
                if now.power is Power.OFF:
                    raise Stale("InvalidPowerState")
            case _:
                pass
        changed = expect.changed(now, action, placed)
        if isinstance(action, PowerOn):
            changed = replace(changed, tools=_started(changed.tools))
            self.located[now.instance_uuid] = f"{now.site}:{now.vmx}"
        self._put(now, changed)
        return True

    def _may_cross(self, now: Vm, action: Cross, placed: Placed) -> None:
        assert all(version >= "6.5" for version in self.versions), "NotSupported: a side below 6.5"
        assert action.site != now.site
        assert now.power is not Power.SUSPENDED
        assert not now.template, "NotSupported: a template"
        assert now.papers is not None, "what only this vCenter knows would be lost"
        assert now.papers.transit
        assert action.live is (now.power is Power.ON)
        view = self.views()[action.site]
        host = next(host for host in view.hosts if host.name == placed.host)
        after = expect.changed(now, action, placed)
        assert after.volumes <= host.volumes, "a datastore that the host does not see"
        assert {nic.network for nic in after.nics if nic.network} <= host.networks

    def _obeys(self, vm: Vm) -> bool:
        return self.guest_obeys and vm.tools is Tools.RUNNING and "never obeys" not in vm.notes

    def _put(self, old: Vm, new: Vm) -> None:
        self.vms[self.vms.index(old)] = new
        self.version += 1

    # --- what a person, a backup or a crash does meanwhile ---

    def person(self, name: str, **changes: object) -> None:
        """Change a VM behind the migration's back."""
        now = next(vm for vm in self.vms if vm.name == name)
        self._put(now, replace(now, **changes))  # type: ignore[arg-type]

    def busy(self, name: str) -> None:
        """Let somebody's task run on the VM until the next wait."""
        self.person(name, in_flight=InFlight("task-1", "Create snapshot", 10))


def _started(tools: Tools) -> Tools:
    return Tools.NOT_INSTALLED if tools is Tools.NOT_INSTALLED else Tools.RUNNING


def refuse(identifier: str) -> Blocked:
    """Return an error as a vSphere fault becomes one."""
    return Blocked((Concern(identifier, Severity.BLOCKS, "app01", "refused", "see vCenter"),))
