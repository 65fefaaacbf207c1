"""Installed commands: `networld-collect` is `python -m networld_agent.collect`, and so on."""

from __future__ import annotations

from wirelessenvs.scripts import script

__all__ = ["adapt", "collect", "data", "diagnose", "evaluate", "pretrain", "value"]

adapt = script("networld_agent.adapt")
collect = script("networld_agent.collect")
data = script("networld_agent.data")
diagnose = script("networld_agent.diagnose")
evaluate = script("networld_agent.evaluate")
pretrain = script("networld_agent.pretrain")
value = script("networld_agent.value")
