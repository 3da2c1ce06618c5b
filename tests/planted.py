"""The bugs that `make mutants` plants: what an honest mistake in the code would look like, and what it would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_DECIDE = "migration/decide.py"
_LIVE = "migration/live.py"
_MODEL = "migration/model.py"
_METHOD = "migration/method.py"
_CONVERGE = "migration/converge.py"
_EXPECT = "migration/expect.py"
_LEASE = "migration/lease.py"
_HEALTH = "migration/health.py"
_METADATA = "migration/metadata.py"
_SCHEDULE = "migration/schedule.py"
_LOAD = "migration/load.py"
_TURNS = "migration/turns.py"
_WAVES = "migration/waves.py"
_ADMISSION = "migration/admission.py"
_EVC = "migration/evc.py"
_NEW = "migration/new_datastores.py"
_ZONING = "fabric/zoning.py"
_UPGRADE = "migration/upgrade.py"
_UPGRADE_HOST = "migration/upgrade_host.py"
_UPGRADE_PROOF = "migration/upgrade_proof.py"


@dataclass(frozen=True)
class Planted:
    """A bug: in `file`, `before` (there exactly once) becomes `after`."""

    what: str
    file: str
    before: str
    after: str


PLANTED: Final = (
    # --- decide: leaving
    Planted(
        "unregister a VM that runs",
        _DECIDE,
        "    if vm.power is Power.OFF:\n        return Unregister(vm.site)",
        "    if vm.power is not Power.SUSPENDED:\n        return Unregister(vm.site)",
    ),
    Planted(
        "leave without papers",
        _DECIDE,
        "    if vm.papers != papers:",
        "    if vm.papers is None and vm.site == spec.target:",
    ),
    Planted(
        "papers forget that it ran",
        _DECIDE,
        "power = on_its_way.power if on_its_way and vm.power is not Power.ON else vm.power",
        "power = vm.power",
    ),
    Planted(
        "papers forget that it was a template",
        _MODEL,
        "        return TEMPLATE_MARK in self.attributes or bool(self.papers and self.papers.transit and self.papers.template)",
        "        return self.template",
    ),
    Planted(
        "papers lose the attributes of an interrupted departure",
        _DECIDE,
        "attributes={**(before.attributes if before else {}), **_own(vm)},",
        "attributes=_own(vm),",
    ),
    Planted(
        "papers lose the metadata of an interrupted departure",
        _DECIDE,
        "metadata=before.metadata.merged(vm.metadata) if before else vm.metadata,",
        "metadata=vm.metadata,",
    ),
    Planted(
        "papers take the addresses of a guest that is going down",
        _DECIDE,
        "    guest = on_its_way if on_its_way and not",
        "    guest = vm if on_its_way and not",
    ),
    Planted(
        "our own mark travels as an attribute of the operator's",
        _DECIDE,
        'if not name.startswith("esxodus.")}',
        'if not name.startswith("esxodus.papers")}',
    ),
    Planted(
        "power off a guest that may still shut down",
        _DECIDE,
        "    if seen.so_far.overdue:",
        "    if not seen.so_far.overdue:",
    ),
    Planted(
        "cross before the papers are written",
        _DECIDE,
        "    if vm.papers != papers:\n        return WritePapers(papers)\n    if crossing:",
        "    if vm.papers != papers and not crossing:\n        return WritePapers(papers)\n    if crossing:",
    ),
    Planted(
        "cross with the files although they may stay",
        _DECIDE,
        "candidates = () if stay or back else",
        "candidates = () if back else",
    ),
    Planted(
        "back across without the files", _DECIDE, "to = {} if stay or not back else", "to = {} if stay or back else"
    ),
    Planted(
        "cross to the host of the other direction",
        _DECIDE,
        "        only=bool(spec.host) and not back,",
        "        only=True,",
    ),
    Planted(
        "the hook before runs again in the middle",
        _DECIDE,
        "if spec.before and not seen.so_far.prepared and not (vm.papers and vm.papers.transit):",
        "if spec.before and not seen.so_far.prepared:",
    ),
    # --- decide: arriving
    Planted(
        "restore no networks",
        _DECIDE,
        "    if networks:\n        return Reconnect",
        "    if networks and not networks:\n        return Reconnect",
    ),
    Planted(
        "power on what was off",
        _DECIDE,
        "    if papers.power is Power.ON and vm.power is not Power.ON:",
        "    if vm.power is not Power.ON:",
    ),
    Planted(
        "restore no metadata",
        _DECIDE,
        "    if lacking and not seen.so_far.restored:",
        "    if lacking and seen.so_far.restored:",
    ),
    Planted("restore metadata for ever", _DECIDE, "    if lacking and not seen.so_far.restored:", "    if lacking:"),
    Planted(
        "papers stay in a VM that is home",
        _DECIDE,
        "    if vm.site == spec.source:\n        return WritePapers(None)",
        "    if vm.site == spec.source:\n        return WritePapers(replace(papers, transit=False))",
    ),
    Planted(
        "papers are thrown away at the target",
        _DECIDE,
        "return WritePapers(replace(papers, transit=False, healthy=not _awaited(spec, papers), metadata=known))",
        "return WritePapers(None)",
    ),
    Planted(
        "papers at the target forget the rules of those that left before",
        _DECIDE,
        "known = papers.metadata.merged(vm.metadata)",
        "known = papers.metadata",
    ),
    Planted(
        "a guest counts as well before it was looked at",
        _DECIDE,
        "healthy=not _awaited(spec, papers), metadata",
        "healthy=True, metadata",
    ),
    Planted(
        "copy before the guest is well",
        _DECIDE,
        "    if check and not seen.so_far.checked:",
        "    if check and seen.so_far.checked:",
    ),
    Planted(
        "ask a well guest for ever", _DECIDE, "    return WritePapers(replace(papers, healthy=True))", "    return None"
    ),
    Planted(
        "a template is not made one again",
        _DECIDE,
        'return SetAttributes({TEMPLATE_MARK: ""}) if vm.template else MakeTemplate()',
        'return SetAttributes({TEMPLATE_MARK: ""})',
    ),
    # --- decide: files
    Planted(
        "migrated although a snapshot's layer stays",
        "migration/model.py",
        "*(disk.file.volume for disk in self.disks)}) | chains",
        "*(disk.file.volume for disk in self.disks)})",
    ),
    Planted(
        "an added disk goes nowhere",
        "migration/model.py",
        "self.disks.get(key, self.disks[HOME])",
        'self.disks.get(key, "")',
    ),
    Planted(
        "a guest that is down is copied before it is up",
        _METHOD,
        "    if spec.method is Method.REATTACH or _down(spec, seen, vm):",
        "    if spec.method is Method.REATTACH:",
    ),
    Planted(
        "who was to go live goes down",
        _CONVERGE,
        "        if self.spec.method is Method.AUTO and vm and",
        "        if self.spec.method is Method.REATTACH and vm and",
    ),
    Planted(
        "copies back fill the old datastore",
        _SCHEDULE,
        "        if key in free and free[key] - load.reserved(key) < size:",
        "        if key in free and free[key] < 0:",
    ),
    Planted(
        "papers of a VM that never left are played back",
        _DECIDE,
        "    never_left = papers.leaving == vm.site == spec.source",
        "    never_left = False",
    ),
    Planted(
        "a hung task is waited for for ever",
        _CONVERGE,
        "        if self.waited[:2] != (reason, progress):",
        "        if self.waited[:2] != ():",
    ),
    Planted(
        "register it at the target whatever is wanted", _DECIDE, "    site = spec.home\n", "    site = spec.target\n"
    ),
    Planted(
        "a VM taken out by hand is not on its way",
        _DECIDE,
        "papers=None if papers.transit else replace(papers, leaving=spec.target, transit=True),",
        "papers=None,",
    ),
    # --- which method
    Planted("live from 6.0", _LIVE, "OLDEST: Final = (6, 5)", "OLDEST: Final = (6, 0)"),
    Planted(
        "an unknown version will do", _LIVE, "            if not view.version:", "            if view.version is None:"
    ),
    Planted(
        "any CPU will do",
        _LIVE,
        "not any(vm.evc in host.evc for host in hosts if host.evc)",
        "not any(host.evc for host in hosts)",
    ),
    Planted(
        "a distributed switch to a standard one", _LIVE, "            if now is None:", '            if now == "":'
    ),
    Planted("an older switch will do", _LIVE, "elif number(now) != number(old):", "elif number(now) > number(old):"),
    Planted("files may stay where nobody sees them", _LIVE, "        if names:", "        if not names:"),
    Planted(
        "auto never goes live",
        _METHOD,
        "    if spec.method is Method.XVM or not refusals:",
        "    if spec.method is Method.XVM:",
    ),
    Planted(
        "auto always goes live",
        _METHOD,
        "    if spec.method is Method.XVM or not refusals:",
        "    if spec.method is not Method.REATTACH:",
    ),
    # --- metadata
    Planted(
        "restore only tags",
        _METADATA,
        "            self.permissions - present.permissions,",
        "            frozenset(),",
    ),
    Planted(
        "rules are forgotten",
        _METADATA,
        "frozenset(rule for rule in self.rules if rule.name not in names),",
        "frozenset(),",
    ),
    Planted("the overrides of the earlier win", _METADATA, "replace(self.overrides, **overrides)", "self.overrides"),
    # --- converge
    Planted(
        "a step that ended well is sent again",
        _CONVERGE,
        "            case Act(action) if action == self.last:",
        "            case Act(action) if action is None:",
    ),
    Planted("try for ever", _CONVERGE, "            if attempts >= limit:", "            if attempts < 0:"),
    Planted("Ctrl-C is not heard", _CONVERGE, "        if stop.is_set():", "        if stop is None:"),
    Planted(
        "do the same for ever",
        _CONVERGE,
        "        if self.performed.count(action) >= REPEATS:",
        "        if self.performed.count(action) >= REPEATS * 1000:",
    ),
    Planted(
        "downtime ends too early",
        _CONVERGE,
        "self.down_since is not None and powered_on and",
        "self.down_since is not None and",
    ),
    # --- health
    Planted("a port that is shut is fine", _HEALTH, "if not any(outside.reaches", "if any(outside.reaches"),
    Planted(
        "an address that is missing is fine",
        _HEALTH,
        "set(action.addresses) - set(vm.addresses)",
        "set(vm.addresses) - set(vm.addresses)",
    ),
    Planted(
        "Tools need not run",
        _HEALTH,
        "if action.tools and vm.tools is not Tools.RUNNING:",
        "if action.tools and vm.tools is Tools.NOT_INSTALLED:",
    ),
    Planted(
        "an unwell guest is copied",
        "migration/concerns/guest.py",
        "seen.so_far.unhealthy and spec.stage",
        "not seen.so_far.unhealthy and spec.stage",
    ),
    # --- what may run at once
    Planted("a host bears more", _LOAD, "HOST_LIMIT: Final = 8", "HOST_LIMIT: Final = 12"),
    Planted("a datastore bears more", _LOAD, "VOLUME_LIMIT: Final = 128", "VOLUME_LIMIT: Final = 160"),
    Planted(
        "a network bears any number",
        _LOAD,
        "self.link(key) + units <= links.get(key, LINK_LIMIT)",
        "0 <= links.get(key, LINK_LIMIT)",
    ),
    Planted(
        "one too many fits",
        _LOAD,
        "all(self.host(key) + units <= HOST_LIMIT for",
        "all(self.host(key) < HOST_LIMIT for",
    ),
    Planted(
        "a running copy's room is given away",
        _SCHEDULE,
        "volume.id: volume.free - load.reserved(volume.id) - action.reserve",
        "volume.id: volume.free - action.reserve",
    ),
    Planted("the reserve is used up", _SCHEDULE, "- action.reserve * volume.capacity", "- 0 * volume.capacity"),
    Planted(
        "the swap file is forgotten",
        _SCHEDULE,
        "return action.size + (vm.memory if vm.power is Power.ON else 0.0)",
        "return action.size",
    ),
    Planted(
        "a crossing costs only where it leaves",
        _SCHEDULE,
        "hosts=dict.fromkeys(ends, on_host),",
        "hosts={ends[0]: on_host},",
    ),
    Planted(
        "a live crossing to a host without vMotion",
        _SCHEDULE,
        "if host.vmotion and (not vm.evc or vm.evc in host.evc)",
        "if not vm.evc or vm.evc in host.evc",
    ),
    Planted(
        "HA's reserve counts as free",
        _SCHEDULE,
        "free = host.free_memory - kept - load.memory(key)",
        "free = host.free_memory - load.memory(key)",
    ),
    Planted(
        "a VM that will run is registered as one that stays off",
        _DECIDE,
        "found.needs if papers.power is Power.ON else found.needs.at_rest()",
        "found.needs.at_rest()",
    ),
    Planted("a host with too few processors will do", _SCHEDULE, "(host.threads, needs.cpus), ", ""),
    Planted(
        "MHz that are on their way to a host count as free",
        _SCHEDULE,
        " - load.mhz(key)",
        "",
    ),
    Planted(
        "any host will do although one is named",
        _SCHEDULE,
        "action.volumes, action.networks)]\n    if action.only:",
        "action.volumes, action.networks)]\n    if not action.host:",
    ),
    Planted(
        "the shortest copy first",
        _TURNS,
        "self.wave, -self.seconds, self.ticket)",
        "self.wave, self.seconds, self.ticket)",
    ),
    Planted(
        "a later wave first",
        _TURNS,
        "return (self.passed < PASSES, self.wave,",
        "return (self.passed < PASSES, -self.wave,",
    ),
    Planted(
        "a waiting copy starves",
        _TURNS,
        "return replace(self, passed=self.passed + 1, aside=way.placed)",
        "return self",
    ),
    Planted(
        "what ended is not given back",
        _TURNS,
        "        return replace(self, load=self.load.remove(cost))",
        "        return self",
    ),
    # --- waves
    Planted(
        "begin before the window opens",
        _WAVES,
        "    if now >= window.start:\n        return None",
        "    if now >= window.start - 3600:\n        return None",
    ),
    Planted(
        "begin after the window has closed", _WAVES, "    if now >= window.end:", "    if now >= window.end + 3600:"
    ),
    Planted(
        "start what cannot end inside",
        _WAVES,
        "    if seconds > window.end - max(now, window.start):",
        "    if seconds > window.end - window.start:",
    ),
    Planted("a pause is not heard", _WAVES, "    if wave.paused:", "    if wave.paused and wave.window:"),
    Planted(
        "a wave does not wait for the one before",
        _WAVES,
        "moment.incomplete.intersection(wave.after)",
        "moment.incomplete.intersection(())",
    ),
    Planted(
        "hold a guest that is down",
        _WAVES,
        "    if vm is None or _down(vm):\n        return False",
        "    if vm is None:\n        return False",
    ),
    Planted("any number may fail", _WAVES, "failures >= wave.max_failures:", "failures > wave.max_failures + 99:"),
    Planted(
        "being held counts as a failure",
        _WAVES,
        "    if isinstance(error, Held | Paused | OutOfTime):",
        "    if isinstance(error, Paused | OutOfTime):",
    ),
    # --- leases
    Planted(
        "work on what another run holds",
        _DECIDE,
        "    if other := seen.holder:",
        "    if (other := seen.holder) and other.run == seen.so_far.run:",
    ),
    Planted("a lease never lapses", _LEASE, "return now - self.since >= LAPSE", "return self.since > now >= LAPSE"),
    Planted(
        "a renewed lease stays void", _LEASE, "self.run == void.run and self.beat <= void.beat", "self.run == void.run"
    ),
    Planted(
        "go on without a lease",
        "migration/tenure.py",
        "return said is None or said.run != self._holder.lease.run or",
        "return said is not None and said.run == self._holder.lease.run and",
    ),
    Planted("a run that fails holds on", _CONVERGE, "        run.let_go()\n", "        pass\n"),
    # --- rolling upgrade
    Planted(
        "take a second host out of service",
        _UPGRADE,
        "out = [one for one in fleet.others(member.name) if one.out]",
        "out = [one for one in fleet.others(member.name) if one.out and one.ours and one.entering]",
    ),
    Planted(
        "end somebody else's maintenance mode",
        _UPGRADE,
        "    if not member.ours:\n        if member.runs(wanted):\n            return Done()",
        "    if not member.ours:\n        if member.runs(wanted):\n            return Leave()",
    ),
    Planted(
        "upgrade a host that somebody else has out",
        _UPGRADE,
        "    if not member.ours:\n        if member.runs(wanted):",
        "    if not member.maintenance:\n        if member.runs(wanted):",
    ),
    Planted(
        "into service again without its datastores",
        _UPGRADE,
        "return Await(ailing) if ailing else Leave()",
        "return Leave()",
    ),
    Planted(
        "restart a host again and again that does not boot the image",
        _UPGRADE,
        "    if so_far.rebooted:",
        "    if False:",
    ),
    Planted("leave to DRS what it leaves to people", _UPGRADE, "if not fleet.moved_by_drs(vm):", "if not fleet.drs:"),
    Planted(
        "forget the proof when the host's turn comes",
        _UPGRADE_HOST,
        "case Mark(on=True) | Enter():",
        "case Reboot():",
    ),
    Planted(
        "the mark stays on a host in service",
        _UPGRADE_HOST,
        "        _let_go(name, cluster, limits, progress)\n        raise",
        "        raise",
    ),
    Planted(
        "what HA keeps free counts as left",
        _UPGRADE_PROOF,
        "sum(max(0.0, host.memory - HYPERVISOR) for host in others) * (1 - kept[1])",
        "sum(max(0.0, host.memory - HYPERVISOR) for host in others)",
    ),
    Planted(
        "an upgrade back in time", "migration/upgrade_paths.py", "    if build > wanted.build:", "    if build < 0:"
    ),
    # --- EVC and new datastores
    Planted(
        "auto forgets the way back",
        _EVC,
        "both = [mode for mode in common if mode.key in old.shared]",
        "both = list(common)",
    ),
    Planted(
        "EVC is lowered under running VMs",
        _EVC,
        "if (own := evc.mode(guest.needs)) and not mode.covers(own)]",
        "if guest.suspended and (own := evc.mode(guest.needs)) and not mode.covers(own)]",
    ),
    Planted(
        "an older generation of another track is covered",
        "migration/evc_modes.py",
        " and other.track <= self.track",
        "",
    ),
    Planted(
        "a disk that holds something is formatted",
        _NEW,
        "        if self.holds:",
        "        if self.holds and not self.seen:",
    ),
    Planted(
        "the reserve of a new datastore is filled",
        _NEW,
        "rows[name].left - one.reserve * rows[name].store.capacity",
        "rows[name].left",
    ),
    Planted(
        "a wave goes on although hosts have lost a volume",
        _WAVES,
        "ours |= moment.volumes.get(spec.wave.name, frozenset())",
        "ours |= frozenset()",
    ),
    # --- zoning
    Planted(
        "zoning: what is logged out just now leaves its zone",
        _ZONING,
        "            if (more := zone.without(there)).all:\n                extend.append(more)",
        "            if not there.same(zone):\n                add.append(zone)",
    ),
    Planted(
        "zoning: a zone with strangers in it is ours",
        _ZONING,
        "    others = sorted(there.all - set(own))",
        "    others = sorted(there.all - set(own) - seen.ports)",
    ),
    Planted(
        "zoning: somebody's open transaction is overlooked",
        _ZONING,
        "    if seen.transaction:",
        "    if seen.transaction > 99:",
    ),
    Planted(
        "zoning: saved changes of others come into effect with ours",
        _ZONING,
        "    if pending := seen.pending():",
        "    if pending := ():",
    ),
    Planted(
        "zoning: a zone that somebody has changed is removed",
        _ZONING,
        "zone.all <= there.all <= zone.all | set(known)",
        "zone.all <= there.all",
    ),
    Planted(
        "zoning: a zone that another configuration names is deleted",
        _ZONING,
        "        if not elsewhere:",
        "        if not elsewhere or name in seen.effective:",
    ),
    Planted(
        "zoning: the last zones are taken from a configuration",
        _ZONING,
        "        if seen.configuration and not rest:",
        "        if not seen.configuration and not rest:",
    ),
    Planted(
        "zoning: peers see each other",
        _ZONING,
        "        if self.type == STANDARD:\n            return one in self.members and other in self.members",
        "        if self.type == STANDARD or self.members:\n            return one in self.members and other in self.members",
    ),
)
