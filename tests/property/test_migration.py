"""Can any history lose a VM? A state machine over the fake sites.

The sentences, each checked after every rule or by the fake itself:

- a VM is never lost: it is registered at exactly one site, or its files lie unregistered on a volume with its papers
- it is never powered on at two sites, and never registered at two sites
- what must be cold happens only to a powered-off VM
- at most one task runs on it at a time
- left alone it settles, or says why
- settled stays settled: another run performs nothing
- its identity, disks, cards and custom attributes are those it had
- where both sides are new enough a running guest never goes down, unless a person wants it to
- back at the source it is as it was: folder, pool, power, networks, attributes, and without our papers
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from migration import expect
from migration.actions import Action, Placed, PowerOff, Register, ShutDown
from migration.admission import Admission
from migration.converge import Outcome, converge
from migration.decide import stage_of
from migration.errors import Blocked, Busy, MigrationError
from migration.metadata import Metadata, Overrides, Permission, Rule, Tag
from migration.model import Disk, File, Nic, Power, Tools, Vm
from migration.wanted import Health, Hook, Identity, Method, Stage, VmSpec
from tests.fake_sites import FakeSites, Killed, a_vm, refuse

STAGES = st.sampled_from(list(Stage))
NETWORKS = st.lists(st.sampled_from(["VM Network", "DMZ"]), min_size=0, max_size=2)
DISKS = st.lists(st.sampled_from(["vmfs:a", "vmfs:b"]), min_size=0, max_size=3)


HOOK = Hook(("true",))
METADATA = Metadata(
    frozenset({Tag("backup", "gold")}),
    frozenset({Permission("LAB\\dba", True, "Virtual machine user"), Permission("LAB\\gone", False, "unknown role")}),
    frozenset({Rule("apart", "antiAffinity", (("5000-app01", "app01"), ("5000-app02", "app02")))}),
    frozenset({"databases"}),
    Overrides(restart_priority="high"),
)


class Outdoors:
    """Hooks that count and may fail, ports that answer."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fails = False

    def run(self, hook: Hook, facts: Mapping[str, str], say: Callable[[str], None]) -> None:
        del hook, say
        if self.fails:
            raise refuse("hook.failed")
        self.ran.append(facts["ESXODUS_WHEN"])

    def reaches(self, address: str, port: int) -> bool:
        del address, port
        return True


def spec(stage: Stage, policy: str = "powerOff", method: Method = Method.AUTO, careful: bool = False) -> VmSpec:
    return VmSpec(
        Identity("app01"),
        stage,
        method,
        health=Health(ports=(22,), timeout=1) if careful else None,
        before=HOOK if careful else None,
        after=HOOK if careful else None,
        datacenter="tokyo7",
        cluster="prod7",
        old_volumes=("old-a", "old-b"),
        new_volumes=("gold7-01", "gold7-02"),
        networks={"VM Network": "pg-prod", "DMZ": "pg-dmz"},
        shutdown_timeout=10,
        on_shutdown_timeout="stop" if policy == "stop" else "powerOff",
    )


def run(sites: FakeSites, wanted: VmSpec, outdoors: Outdoors | None = None) -> Outcome:
    stop = threading.Event()
    stop.wait = lambda timeout=None: False  # type: ignore[method-assign] # no real sleeping between attempts
    clock = itertools.count()  # a second passes with every look at it
    return converge(
        wanted,
        sites,
        Admission(),
        lambda text, percent: None,
        stop,
        outside=outdoors or Outdoors(),
        clock=lambda: float(next(clock)),
    )


class Migration(RuleBasedStateMachine):
    """One VM, moved to and fro, while processes die, calls fail and people interfere."""

    @initialize(
        power=st.sampled_from([Power.ON, Power.OFF]),
        template=st.booleans(),
        tools=st.sampled_from(list(Tools)),
        networks=NETWORKS,
        disks=DISKS,
        obeys=st.booleans(),
        asks=st.booleans(),
        snapshot=st.booleans(),
        method=st.sampled_from(list(Method)),
        new=st.booleans(),
        careful=st.booleans(),
    )
    def a_site(
        self,
        power: Power,
        template: bool,
        tools: Tools,
        networks: list[str],
        disks: list[str],
        obeys: bool,
        asks: bool,
        snapshot: bool,
        method: Method,
        new: bool,
        careful: bool,
    ) -> None:
        self.method, self.new, self.careful = method if new else Method.AUTO, new, careful
        self.outdoors = Outdoors()
        below = set(disks) if snapshot else set()
        self.first = a_vm(
            power=Power.OFF if template else power,
            template=template,
            tools=tools,
            nics=tuple(
                Nic(4000 + n, f"Network adapter {n + 1}", f"00:50:56:00:00:0{n}", net) for n, net in enumerate(networks)
            ),
            disks=tuple(
                Disk(2000 + n, f"Hard disk {n + 1}", File(at, f"app01/{n}.vmdk"), 10, 5, below=frozenset({at} & below))
                for n, at in enumerate(disks)
            ),
        )
        self.first = replace(self.first, metadata=METADATA, addresses=("10.0.0.1",) if tools is Tools.RUNNING else ())
        versions = ("6.7.0", "7.0.3") if new else ("6.0.0", "7.0.3")
        self.sites = FakeSites([self.first], versions, guest_obeys=obeys, asks=asks)
        self.sites.located[self.first.instance_uuid] = f"source:{self.first.vmx}"
        self.stage = Stage.SOURCE
        self.power: Power | None = self.first.power  # None: a person changed it on the way, either is right

    @rule(stage=STAGES)
    def the_operator_wants(self, stage: Stage) -> None:
        self.stage = stage

    @rule(step=st.integers(0, 9), late=st.booleans())
    def a_run_is_killed(self, step: int, late: bool) -> None:
        count = 0

        def kill(action: Action) -> None:
            nonlocal count
            del action
            count += 1
            if count > step:
                raise Killed

        setattr(self.sites, "after" if late else "before", kill)
        with contextlib.suppress(Killed, MigrationError):
            run(self.sites, self.wanted(), self.outdoors)
        self.sites.before = self.sites.after = lambda action: None

    @rule(fails=st.lists(st.booleans(), min_size=1, max_size=8))
    def calls_fail(self, fails: list[bool]) -> None:
        left = list(fails)

        def fail(action: Action) -> None:
            if left and left.pop():
                raise Busy(f"{type(action).__name__} refused: another task is in progress")

        self.sites.before = fail
        with contextlib.suppress(MigrationError):
            run(self.sites, self.wanted(), self.outdoors)
        self.sites.before = lambda action: None

    @rule()
    def a_hook_fails(self) -> None:
        self.outdoors.fails = True
        with contextlib.suppress(MigrationError):
            run(self.sites, self.wanted(), self.outdoors)
        self.outdoors.fails = False

    @precondition(lambda self: self.sites.vms and not self.sites.vms[0].question)
    @rule()
    def a_backup_takes_a_snapshot(self) -> None:
        self.sites.busy("app01")

    @precondition(lambda self: self.vm and self.vm.power is Power.ON and not self.vm.question)
    @rule()
    def a_person_powers_it_off(self) -> None:
        vm = self.vm
        assert vm is not None
        self.sites.person("app01", power=Power.OFF, tools=Tools.NOT_RUNNING if vm.tools is Tools.RUNNING else vm.tools)
        self.power = None if vm.papers and vm.papers.transit else Power.OFF

    @precondition(
        lambda self: self.vm and self.vm.site == "target" and self.vm.power is Power.OFF and not self.vm.template
    )
    @rule()
    def a_person_unregisters_it_at_the_target(self) -> None:
        vm = self.vm
        assert vm is not None
        if vm.papers is None or vm.question:
            return
        self.sites.vms.remove(vm)
        self.sites.adrift.append(expect.adrift(vm))
        self.power = None

    @precondition(lambda self: not self.sites.vms)
    @rule()
    def a_person_registers_it_at_the_source(self) -> None:
        found = self.sites.adrift[0]
        volumes = {volume.id for volume in self.sites.views()["source"].volumes}
        if found.papers is None or not found.volumes <= volumes:
            return
        papers = found.papers
        place = Register(
            "source", found.vmx, found.name, papers.datacenter, papers.cluster, papers.folder, papers.pool,
            papers.host, found.volumes, frozenset(),
        )  # fmt: skip
        self.sites.adrift.remove(found)
        self.sites.vms.append(expect.registered(found, place, Placed(papers.host)))
        self.sites.version += 1

    @rule(stage=STAGES)
    def left_alone_it_settles_or_says_why(self, stage: Stage) -> None:
        self.stage = stage
        wanted = self.wanted()
        ran, began = self.vm and self.vm.power is Power.ON and not self.vm.question, len(self.sites.writes)
        try:
            outcome = run(self.sites, wanted, self.outdoors)
        except Blocked as error:
            assert error.concerns  # noqa: PT017 - saying why is one of two good ends
            assert all(concern.sentence and concern.remedy for concern in error.concerns)  # noqa: PT017
            return
        assert outcome.stage is self.stage
        if ran and self.new and self.method is not Method.REATTACH:
            went_down = [
                type(action) for action in self.sites.writes[began:] if isinstance(action, ShutDown | PowerOff)
            ]
            assert not went_down, "it could have gone live"
            assert outcome.downtime is None
        seen, _ = self.sites.observe(wanted.identity)
        assert stage_of(wanted, seen) is self.stage
        self.it_arrived_whole(outcome.vm)
        before = len(self.sites.writes)
        hooks = len(self.outdoors.ran)
        run(self.sites, wanted, self.outdoors)
        assert len(self.sites.writes) == before, "settled stays settled"
        assert len(self.outdoors.ran) == hooks, "and is not announced again"

    def wanted(self) -> VmSpec:
        return spec(self.stage, method=self.method, careful=self.careful)

    def it_arrived_whole(self, vm: Vm) -> None:
        first = self.first
        assert (vm.instance_uuid, vm.bios_uuid) == (first.instance_uuid, first.bios_uuid)
        assert [nic.mac for nic in vm.nics] == [nic.mac for nic in first.nics]
        assert [disk.key for disk in vm.disks] == [disk.key for disk in first.disks]
        assert vm.template is first.template
        assert vm.attributes == first.attributes
        known = frozenset(one for one in first.metadata.permissions if one.role in self.sites.roles)
        everything = self.sites.writes == [] or (vm.site == "source" and vm.metadata == first.metadata)
        if not (everything or vm.template):
            assert vm.metadata == replace(first.metadata, permissions=known)
        assert self.power in (None, vm.power)
        self.power = vm.power
        if vm.site == "source":
            assert vm.papers is None
            assert (vm.folder, vm.pool, vm.datacenter) == (first.folder, first.pool, first.datacenter)
            assert [nic.network for nic in vm.nics] == [nic.network for nic in first.nics]
            assert (vm.vmx, vm.disks) == (first.vmx, first.disks)

    @property
    def vm(self) -> Vm | None:
        return self.sites.vms[0] if self.sites.vms else None

    @invariant()
    def never_lost_never_twice(self) -> None:
        if not hasattr(self, "sites"):
            return
        assert len(self.sites.vms) + len(self.sites.adrift) == 1
        assert all(one.papers is not None for one in self.sites.adrift)


Migration.TestCase.settings = settings(max_examples=600, stateful_step_count=15, deadline=None)
TestMigration = Migration.TestCase
