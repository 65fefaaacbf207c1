"""The simulators as TorchRL environments: `pip install 'wirelessenvs[torchrl]'`.

Example:
    >>> from wirelessenvs.torchrl import WirelessEnv  # doctest: +SKIP
    >>> env = WirelessEnv("rb-v0", num_envs=64, preset="rb-9")  # doctest: +SKIP
    >>> env.rollout(100)["agents", "observation"].shape  # doctest: +SKIP
    torch.Size([64, 100, 9, 4])
"""

from __future__ import annotations

from wirelessenvs.faults import needs_extra

with needs_extra("torchrl", "torch", "tensordict", "torchrl"):
    from wirelessenvs.torchrl.environment import FamilyEnv, WirelessEnv

__all__ = ["FamilyEnv", "WirelessEnv"]
