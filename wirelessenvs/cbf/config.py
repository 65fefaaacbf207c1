"""Constants of the coordinated-beamforming task, each with its source, and named presets."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any, ClassVar

from scipy.special import j0

from wirelessenvs.cbf.bank import load_bank
from wirelessenvs.cbf.users import check_users
from wirelessenvs.cells import Cells, check_sites, hexagonal_cells, own_cells
from wirelessenvs.checks import check_choice, check_flag, check_int, check_real, shown
from wirelessenvs.config import TaskConfig
from wirelessenvs.topology import rings_for_cells

__all__ = ["CBFConfig"]

#: Phase steps of a codeword: multiples of 2 pi / 16.
NUM_PHASES = 16
_PAPER_DOPPLER_HZ = 10.0
_PAPER_SLOT_S = 0.02


@dataclass(frozen=True, kw_only=True)
class CBFConfig(TaskConfig):
    """Multi-cell MISO downlink with one BS and one single-antenna UE per hexagonal cell.

    Sources: [P] J. Ge, Y.-C. Liang, J. Joung, S. Sun, "Deep Reinforcement Learning for
    Distributed Dynamic MISO Downlink-Beamforming Coordination", IEEE Trans. Commun. 68(10), 2020;
    [C] the simulation code that its authors published.

    Args:
        max_steps: slots of an episode (source: one endless run; 1,000 here).
        num_cells: K, that of a full hexagonal grid: 7, 19, 37, 61, ... up to 1,027; 19 in [P].
            With `sites`, their number, whatever was given.
        sites: `(K, 2)` BS coordinates in metres, 2 to 1,027 of them in any layout, or a CSV or
            .npy file of them; None: the hexagonal grid.
        users: coordinates of UEs in metres, `(M, 2)`, each served by the nearest BS, or `(M, 3)`
            with the index of the serving BS, or a file of them. Each cell needs one at least; of
            several, a layout draws one. None: drawn around the BS.
        layout_seed: fixed layout of [C] drawn from its documented random-number recipe with this
            seed, 0..2^32-1 (2019 in [C]); None draws a new layout in every episode.
        num_antennas: N of a BS, 1..64; 3 in [P].
        num_paths: L of a link, 1..64; 4 in [P].
        num_beams: Q codewords, 1..16 (more would repeat phases); 8 here, 4 to 10 in [P].
        num_power_levels: P, linear in mW from 0 to the full power, 2..64; 5 in [P].
        num_interferers: U, strongest interferers and strongest interfered UEs that an agent
            hears of, 1..K-1; 5 in [P].
        cell_radius_m: half the distance between sites, in metres, above 0; 200 in [P]. With
            `sites`, a cell reaches half-way to the nearest other one, and no further than this.
        min_distance_m: least distance of a UE from its BS, in metres, at least 1 and below the
            cell radius; 10 in [P].
        path_loss_intercept_db: path loss at 1 km in dB, 0..300; 120.9 in [P].
        path_loss_slope_db: path loss per decade of distance in dB, 0..100; 37.6 in [P].
        shadowing_db: standard deviation of the log-normal shadowing in dB, 0..20; 8 in [P].
        angular_spread_deg: AS of the paths' directions in degrees, above 0 to 180; 3 in [P].
        symmetric_spread: paths deviate by U[-AS/2, AS/2] as [P] says; false for U[-AS, -AS/2],
            which is what [C] draws.
        normalized_innovation: path innovations CN(0, 1/L), which keeps the variance of the first
            slot; false for the CN(0, 1) of [C], under which all gains grow by L.
        correlation: rho of the fading between slots, -1..1; 0.64 in [P].
        doppler_hz: maximum Doppler frequency in Hz, 0..10^4. Giving it or `slot_s` makes rho
            follow J0(2 pi doppler_hz slot_s) instead of `correlation`; then 10 Hz by default [P].
        slot_s: slot duration in seconds, above 0 to 1; see `doppler_hz`; then 0.02 by default.
        speed_mps: of UEs, 0..100 metres per second: each walks straight through its cell and turns
            at its border; path loss and directions follow, as fast as the fading forgets: `|rho|`
            must be below 1, and a slot's step at most the smallest cell's radius. 0, as in [P]:
            they stand still.
        shadowing_distance_m: of a moving UE, distance in which the correlation of its shadowing
            falls to 1/e, in metres, above 0. With `speed_mps` only.
        max_power_dbm: power limit of a BS in dBm, -30..80; 38 in [P].
        noise_dbm: noise power at a UE in dBm, -200..0; -114 in [P].
        warm_up_slots: slots of random beams before slot 0, 2..10,000 (two fill the observation);
            10 in [C].
        observation: "official" (the 7 + 11 U values of [P]), "log" (the same with gains, received
            powers and interference in scaled dB) or "sweep" (official and the gains of the own
            Q beams).
        action: "codebook" (beam and power index) or "beam" (the beamformer as 2 N reals).
        channel: "fading" (path loss, shadowing and fading of [P]) or "bank" (channels of a file,
            which then says where UEs are).
        bank: path of an .npz file with channels over drops and slots (`cbf.bank.save_bank` says
            how), for `channel="bank"` only. An episode draws a drop and its first slot.
        bank_sha256: of that file; filled in. Where it is given, another file is refused.
        reward: "official" (the rate minus the harm to the U strongest interfered UEs [P]), or a
            function of a step's metrics, also as `module:function`.
        graph: "hexagonal" (static neighbouring cells; of `sites`, those with no third between
            them) or "interferers" (the current U strongest interferers of every cell).

    Example:
        >>> CBFConfig.from_preset("general", num_beams=4).num_actions
        20
    """

    num_cells: int = 19
    sites: Any = None
    users: Any = None
    layout_seed: int | None = 2019
    num_antennas: int = 3
    num_paths: int = 4
    num_beams: int = 8
    num_power_levels: int = 5
    num_interferers: int = 5
    cell_radius_m: float = 200.0
    min_distance_m: float = 10.0
    path_loss_intercept_db: float = 120.9
    path_loss_slope_db: float = 37.6
    shadowing_db: float = 8.0
    angular_spread_deg: float = 3.0
    symmetric_spread: bool = False
    normalized_innovation: bool = False
    correlation: float = 0.64
    doppler_hz: float | None = None
    slot_s: float | None = None
    speed_mps: float = 0.0
    shadowing_distance_m: float = 50.0
    max_power_dbm: float = 38.0
    noise_dbm: float = -114.0
    warm_up_slots: int = 10
    observation: str = "official"
    action: str = "codebook"
    channel: str = "fading"
    # Two paths of one file are one configuration.
    bank: Any = field(default=None, compare=False)
    bank_sha256: str | None = None
    reward: Any = "official"
    graph: str = "hexagonal"

    rewards: ClassVar[tuple[str, ...]] = ("official",)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {},
        "general": {"layout_seed": None, "observation": "sweep"},
        "cells-7": {"num_cells": 7, "layout_seed": None},
        "cells-37": {"num_cells": 37, "layout_seed": None},
        "cells-61": {"num_cells": 61, "layout_seed": None},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sites is None:
            check_int("num_cells", self.num_cells, 7, 1027)
            rings_for_cells(self.num_cells)
        else:
            object.__setattr__(self, "sites", check_sites(self.sites))
            object.__setattr__(self, "num_cells", len(self.sites))
        if self.layout_seed is not None:
            check_int("layout_seed", self.layout_seed, 0, 2**32 - 1)
        check_int("num_antennas", self.num_antennas, 1, 64)
        check_int("num_paths", self.num_paths, 1, 64)
        check_int("num_beams", self.num_beams, 1, NUM_PHASES)
        check_int("num_power_levels", self.num_power_levels, 2, 64)
        check_int("num_interferers", self.num_interferers, 1, self.num_cells - 1)
        check_int("warm_up_slots", self.warm_up_slots, 2, 10_000)
        check_real("cell_radius_m", self.cell_radius_m, 0, 1e5, low_open=True)
        if check_real("min_distance_m", self.min_distance_m, 1) > self.cell_radius_m:
            raise ValueError(
                f"min_distance_m must be at most cell_radius_m ({self.cell_radius_m:g}), "
                f"got {self.min_distance_m:g}."
            )
        if self.cells.radii_m.min() < self.min_distance_m:
            raise ValueError(
                f"sites must be at least 2 min_distance_m = {2 * self.min_distance_m:g} m apart, "
                f"got {2 * self.cells.radii_m.min():g} m."
            )
        if self.users is not None:
            object.__setattr__(self, "users", check_users(self.users, self.cells))
        check_real("path_loss_intercept_db", self.path_loss_intercept_db, 0, 300)
        check_real("path_loss_slope_db", self.path_loss_slope_db, 0, 100)
        check_real("shadowing_db", self.shadowing_db, 0, 20)
        check_real("angular_spread_deg", self.angular_spread_deg, 0, 180, low_open=True)
        check_flag("symmetric_spread", self.symmetric_spread)
        check_flag("normalized_innovation", self.normalized_innovation)
        check_real("correlation", self.correlation, -1, 1)
        if self.doppler_hz is not None:
            check_real("doppler_hz", self.doppler_hz, 0, 1e4)
        if self.slot_s is not None:
            check_real("slot_s", self.slot_s, 0, 1, low_open=True)
        check_real("speed_mps", self.speed_mps, 0, 100)
        step_m, least_m = self.speed_mps * self.slot_duration_s, float(self.cells.radii_m.min())
        if step_m > least_m:
            raise ValueError(
                f"speed_mps must move users by at most the smallest cell's radius ({least_m:g} m) "
                f"in a slot, got {step_m:g} m."
            )
        if self.speed_mps > 0 and abs(self.rho) == 1:
            raise ValueError(
                f"speed_mps must be 0 where channels never change (rho = {self.rho:g}), got "
                f"{self.speed_mps:g}."
            )
        distance_m = check_real(
            "shadowing_distance_m", self.shadowing_distance_m, 0, 1e6, low_open=True
        )
        if self.speed_mps == 0 and distance_m != type(self).shadowing_distance_m:
            raise ValueError(
                f"shadowing_distance_m must keep its default {type(self).shadowing_distance_m:g} "
                f"without speed_mps: it has no effect where users stand still, got {distance_m:g}."
            )
        check_real("max_power_dbm", self.max_power_dbm, -30, 80)
        check_real("noise_dbm", self.noise_dbm, -200, 0)
        check_choice("observation", self.observation, ("official", "log", "sweep"))
        check_choice("action", self.action, ("codebook", "beam"))
        check_choice("graph", self.graph, ("hexagonal", "interferers"))
        if self.graph == "interferers" and self.adjacency is not None:
            raise ValueError("adjacency must be None with graph='interferers', which says it.")
        self._check_bank()
        self._check_own(self.num_cells)

    def _check_bank(self) -> None:
        check_choice("channel", self.channel, ("fading", "bank"))
        if self.channel == "fading":
            for name in ("bank", "bank_sha256"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name} must be None without channel='bank', got "
                        f"{shown(getattr(self, name))}."
                    )
            return
        if self.bank is None:
            raise ValueError("bank must name a file for channel='bank', got None.")
        if self.speed_mps > 0:
            raise ValueError(
                f"speed_mps must be 0 with channel='bank', which holds what moves, got "
                f"{self.speed_mps:g}."
            )
        if self.users is not None:
            raise ValueError(
                "users must be None with channel='bank': the bank says where they are."
            )
        bank = load_bank(self.bank, self.bank_sha256)
        antennas = bank.channel.shape[2]
        if (bank.num_cells, antennas) != (self.num_cells, self.num_antennas):
            raise ValueError(
                f"bank must have the configuration's num_cells = {self.num_cells} and num_antennas "
                f"= {self.num_antennas}, got {bank.num_cells} and {antennas} in {shown(self.bank)}."
            )
        object.__setattr__(self, "bank", os.path.abspath(os.fsdecode(self.bank)))
        object.__setattr__(self, "bank_sha256", bank.sha256)

    @property
    def max_power_mw(self) -> float:
        """Power limit of a BS in mW."""
        return float(10 ** (self.max_power_dbm / 10))

    @property
    def noise_mw(self) -> float:
        """Noise power at a UE in mW."""
        return float(10 ** (self.noise_dbm / 10))

    @property
    def inter_site_distance_m(self) -> float:
        """Distance between neighbouring BSs of the hexagonal grid in metres."""
        return 2 * self.cell_radius_m

    @property
    def cells(self) -> Cells:
        """Where BSs stand, how far cells reach, and who neighbours whom."""
        if self.sites is None:
            return hexagonal_cells(self.num_cells, self.inter_site_distance_m)
        return own_cells(self.sites, self.cell_radius_m)

    @property
    def num_actions(self) -> int:
        """Number of codebook actions, Q P."""
        return self.num_beams * self.num_power_levels

    @property
    def rho(self) -> float:
        """Correlation of a path gain between two slots."""
        if self.doppler_hz is None and self.slot_s is None:
            return float(self.correlation)
        doppler_hz = _PAPER_DOPPLER_HZ if self.doppler_hz is None else self.doppler_hz
        return float(j0(2 * math.pi * doppler_hz * self.slot_duration_s))

    @property
    def slot_duration_s(self) -> float:
        """Duration of a slot in seconds, that of [P] by default."""
        return _PAPER_SLOT_S if self.slot_s is None else self.slot_s

    @property
    def innovation_scale(self) -> float:
        """Standard deviation of a path innovation, sqrt(1 - rho^2) included."""
        spread = math.sqrt(max(0.0, 1 - self.rho**2))
        return spread / math.sqrt(self.num_paths) if self.normalized_innovation else spread

    @property
    def num_official_features(self) -> int:
        """Entries of the official observation, 7 + 11 U."""
        return 7 + 11 * self.num_interferers
