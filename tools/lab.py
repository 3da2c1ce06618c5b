"""`make lab`: keeps a lab running to play with, and says how.

python -m tools.lab [SITE]      SITE names a lab stack, stacks/Pulumi.SITE.yaml (default: lab)
"""

from __future__ import annotations

import argparse
import signal
import sys

from rich.console import Console

from tools.demo import DemoError, read_stack
from tools.running_lab import LabError, running_lab

_HOW = """\
In another terminal, in this folder:

  eval "$(make env)"                      # pulumi, its state and the lab's passphrase
  pulumi stack select --create {site}     # a new lab is a new site: `pulumi stack rm --force {site}` first if there was one
  pulumi preview                          # what would happen, VM by VM; touches nothing
  pulumi up                               # and do it

Then change a `stage` in stacks/Pulumi.{site}.yaml (back to `source`, say) and run it again, press Ctrl-C in the middle,
or kill it. What the lab sees, and how to make it fail (lab/README.md):

  curl -s {control}/state
  curl -s {control}/violations

Ctrl-C here ends the lab and everything in it."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make lab", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("site", nargs="?", default="lab", help="a lab stack: stacks/Pulumi.SITE.yaml")
    site = parser.parse_args().site
    console = Console(highlight=False, soft_wrap=True)
    try:
        with running_lab(read_stack(site).scenario) as lab:
            for name, vcenter in lab.endpoints["vcenters"].items():
                console.print(f"{name}: vCenter {vcenter['version']} at {vcenter['host']}, user {vcenter['username']}")
            console.print()
            console.print(_HOW.format(site=site, control=lab.endpoints["control"]), markup=False)
            ends = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
            signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # what is not blocked would not be waited for
            signal.sigwait(ends)
    except (DemoError, LabError) as error:
        console.print(f"[red]lab:[/] {error}")
        return 1
    console.print("the lab is stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
