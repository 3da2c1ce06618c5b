"""The Pulumi program of upgrade/Pulumi.yaml: a cluster's hosts, one after another."""

import signal
import sys
from pathlib import Path

import pulumi

sys.path.insert(0, str(Path(__file__).resolve().parent))  # a program that is a file has no folder of its own

from components.rolling_upgrade import RollingUpgrade
from components.settings_upgrade import UpgradeSettings
from migration.errors import MigrationError

# On Ctrl-C the providers come to a safe point; this program has nothing to finish, and must not keep the engine waiting.
signal.signal(signal.SIGINT, signal.SIG_DFL)

try:
    stack = UpgradeSettings.load()
except MigrationError as error:
    raise pulumi.RunError(str(error)) from None

upgrade = RollingUpgrade("upgrade", stack, preview=pulumi.runtime.is_dry_run())

pulumi.export("hosts", {host: one.runs for host, one in zip(stack.upgrade.hosts, upgrade.hosts, strict=True)})
