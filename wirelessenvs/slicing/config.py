"""Configuration of the slicing task: every physical constant with its source."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.cells import Cells, check_sites, hexagonal_cells, own_cells
from wirelessenvs.checks import (
    check_choice,
    check_flag,
    check_int,
    check_matrix,
    check_real,
    check_vector,
    shown,
)
from wirelessenvs.config import TaskConfig
from wirelessenvs.inputs import check_counts, check_traced, check_whole, frozen, read_table
from wirelessenvs.slicing.classes import TrafficClass, read_slices
from wirelessenvs.slicing.splits import MOST_SPLITS, number_of_splits
from wirelessenvs.topology import rings_for_cells

__all__ = ["SLICES", "URLLC_PACKETS", "SlicingConfig"]

#: Names of the slices, in the order of every slice axis.
SLICES: Final = ("volte", "video", "urllc")

#: URLLC packet sizes in bytes, each as likely as the others, by preset.
URLLC_PACKETS: Final[dict[str, tuple[float, ...]]] = {
    "large": (0.3e6, 0.4e6, 0.5e6, 0.6e6, 0.7e6),
    "medium": (0.3e6,),
    "small": (6.4e3, 12.8e3, 19.2e3, 25.6e3, 32.0e3),
}

#: Fields that describe the three built-in classes, which `slices` describes in their place.
_BUILT_IN: Final = (
    "user_mix", "speeds_mps", "volte_gap_s", "volte_bits", "lomax_shape", "video_gap_s",
    "video_bits", "urllc_gap_s", "urllc_packets", "sla_rate_bps", "sla_latency_s", "ssr_weights",
    "beta",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SlicingConfig(TaskConfig):
    """Services share the band of every cell of a dense cellular network: three, or one's own.

    Sources: [H] Hua, Li, Zhao, Chen, Zhang, "GAN-powered deep distributional reinforcement
    learning for resource management in network slicing", IEEE JSAC 38(2), 2020, and its published
    simulation code; [L] Li, Wang, Zhao, Guo, Zhang, "The LSTM-based advantage actor-critic learning
    for resource management in network slicing with user mobility", IEEE Commun. Lett. 24(9), 2020,
    and its published simulation code; [S] Shao, Li, Hu, Wu, Zhao, Zhang, "Graph attention
    network-based multi-agent reinforcement learning for slicing resource management in dense
    cellular network", IEEE Trans. Veh. Technol. 70(10), 2021.

    Triples are in the order VoLTE, video, URLLC.

    Args:
        max_steps: windows per episode.
        num_cells: 1, 7, 19, 37, 61, ...: a full hexagonal grid; 19 in [S]. With `sites`, their
            number, whatever was given.
        sites: `(N, 2)` base stations in metres, 2 to 1,027 of them in any layout, or a CSV or .npy
            file of them; None: the hexagonal grid.
        num_users: subscribers in the whole area; 2,000 in [S], 100 in [H], 1,200 in [L].
        users: `(num_users, 2)` places of the users in metres at the beginning of each episode, or a
            CSV or .npy file of them, which then says how many there are; None: anywhere in the box.
        cell_radius_m: circumradius of a cell; 40 m in [H], [L]. With `sites`, it sets only the
            margin of the box and the greatest size of marks in pictures.
        box_half_m: half width and half height of the users' box in metres; None: a square that
            reaches one cell radius beyond the outermost base stations (of `sites`, a rectangle).
            That of [H] for one cell, (40, 40); [L]: (120, 120).
        coverage_m: users farther than this from every base station are not served; None: no limit.
            [L]: 40.
        user_mix: relative number of subscribers per class; [H]: 6:6:1, [L]: 1:2:3. Classes are
            drawn independently per user.
        speeds_mps: of each class, at least 0; [L]: 1, 4, 8. [H]: users stand still.
        tx_power_dbm: of a base station, in full on each user's band [H].
        rx_gain_db: of a user's receiver [H].
        noise_dbm_hz: noise density [H].
        shadowing_db: standard deviation of the log-normal shadowing, redrawn per user and slot;
            8 dB [H] (3GPP TR 36.814).
        log_base: "log10" as the published code computes rates, or "log2" (Shannon).
        mimo_gain: factor on every rate; 64 [H], [L].
        interference: whether other cells interfere, each with its full power times the share of
            its resource blocks that it used in the window before.
        bandwidth_hz: of a cell; 10 MHz [H].
        rb_hz: of a resource block; 180 kHz [H].
        unit_hz: granularity of an allocation; must divide the bandwidth. [H]: 1 MHz, [L]: 200 kHz.
        slots_per_window: slots per step; 2,000 [H], [L].
        slot_s: length of a slot; 0.5 ms [H].
        queue_packets: packets that a user's queue holds; 5 [H].
        carry_over: whether queues survive the end of a window. They are wiped in [H], [L].
        volte_gap_s: a VoLTE gap between packets is uniform up to this; 160 ms [H].
        volte_bits: size of a VoLTE packet; 320 bit [H].
        lomax_shape: of video gaps and sizes; 1.2 [H].
        video_gap_s: scale and cap of the video gap; 6 ms and 12.5 ms [H].
        video_bits: scale and cap of the video packet size; 800 and 2,000 bit [H].
        urllc_gap_s: mean of the exponential URLLC gap; 180 ms [H].
        urllc_packets: sizes of URLLC packets, a name in `URLLC_PACKETS` or bytes. [H]: "small" and
            "large", [L]: "medium".
        sla_rate_bps: rate that a successful packet reaches; 51 kbit/s, 100 Mbit/s, 10 Mbit/s [H].
        sla_latency_s: latency that a successful packet stays below; 10 ms, 10 ms, 3 ms. (A table
            of [H] prints 1 ms for URLLC; its code and its figures have 3 ms.)
        slices: 2 to 16 traffic classes of one's own in place of the three, each a `TrafficClass`, a
            mapping of its fields, or the name of a built-in class; or JSON of such a list, or a
            file of it. What describes the three classes (mix, speeds, traffic, service levels,
            weights) then keeps its default; a preset's own values of that give way. None: the
            three.
        traffic: "classes" (the laws above) or "trace" (packets of `trace`, with the sizes above).
        trace: packets per window, repeated cyclically: `(T, K)` of each slice in the whole network,
            dealt evenly to its users, or `(T, num_users)` of each user; a matrix, or a CSV or .npy
            file of one. Fractions are carried from window to window. Packets arrive in random slots
            of the window, at most one of a user in a slot. For `traffic="trace"` only.
        trace_random_start: whether an episode starts at a random row of the trace, or at its
            first (which the windows before the first observation play).
        user_classes: class 0, 1, ... of each user, in every episode; None: drawn by `user_mix`, or
            by the shares of `slices`, which both have no effect beside it.
        history: past windows whose demands are observed; 1 to 16.
        observation: "full" (demands, last allocation, last SSR) or "paper" (demands only).
        action: "continuous" (bandwidths in Hz) or "discrete" (index of a split).
        reward: "ssr" (weighted mean SSR), "utility" (0.01 SE + beta . SSR) or "lstm-a2c" ([L]); or
            a function of a step's metrics, also as `module:function`. In "lstm-a2c", the last of
            other slices has the part of URLLC, and all others those of VoLTE and video.
        ssr_weights: of the "ssr" reward; normalised to sum 1.
        beta: weights of the SSRs in the utility; [H]: (1, 1, 1) and (1, 4, 6).
        num_threads: worker threads of a step; results do not depend on it.
    """

    max_steps: int = 1000
    num_cells: int = 19
    sites: Any = None
    num_users: int = 2000
    users: Any = None
    cell_radius_m: float = 40.0
    box_half_m: tuple[float, float] | None = None
    coverage_m: float | None = None
    user_mix: tuple[float, float, float] = (1.0, 2.0, 3.0)
    speeds_mps: tuple[float, float, float] = (1.0, 4.0, 8.0)
    tx_power_dbm: float = 46.0
    rx_gain_db: float = 20.0
    noise_dbm_hz: float = -174.0
    shadowing_db: float = 8.0
    log_base: str = "log10"
    mimo_gain: float = 64.0
    interference: bool = False
    bandwidth_hz: float = 10e6
    rb_hz: float = 180e3
    unit_hz: float = 200e3
    slots_per_window: int = 2000
    slot_s: float = 0.5e-3
    queue_packets: int = 5
    carry_over: bool = False
    volte_gap_s: float = 0.160
    volte_bits: float = 320.0
    lomax_shape: float = 1.2
    video_gap_s: tuple[float, float] = (6e-3, 12.5e-3)
    video_bits: tuple[float, float] = (800.0, 2000.0)
    urllc_gap_s: float = 0.180
    urllc_packets: str | tuple[float, ...] = "large"
    sla_rate_bps: tuple[float, float, float] = (51e3, 100e6, 10e6)
    sla_latency_s: tuple[float, float, float] = (10e-3, 10e-3, 3e-3)
    slices: Any = None
    traffic: str = "classes"
    trace: Any = None
    trace_random_start: bool = True
    user_classes: Any = None
    history: int = 2
    observation: str = "full"
    action: str = "continuous"
    reward: Any = "ssr"
    ssr_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    beta: tuple[float, float, float] = (1.0, 1.0, 1.0)
    num_threads: int = 1

    rewards: ClassVar[tuple[str, ...]] = ("ssr", "utility", "lstm-a2c")
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Shao et al. (2021): the environment of Li et al. (2020) on 19 cells.
        "paper": {},
        # Shannon rates and a plausible MIMO factor.
        "physical": {"log_base": "log2", "mimo_gain": 16.0},
        # Actions matter for the windows to come: queues survive, cells interfere. The SLAs are
        # rescaled to the rates that interference leaves.
        "coupled": {
            "carry_over": True,
            "interference": True,
            "urllc_packets": "small",
            "sla_rate_bps": (51e3, 10e6, 10e6),
        },
        # Hua et al. (2020): one base station, users that stand still.
        "single-bs": {
            "num_cells": 1,
            "num_users": 100,
            "user_mix": (6.0, 6.0, 1.0),
            "speeds_mps": (0.0, 0.0, 0.0),
            "unit_hz": 1e6,
            "urllc_packets": "small",
            "reward": "utility",
        },
        # Li et al. (2020): one base station, users that walk through its circle.
        "lstm-a2c": {
            "num_cells": 1,
            "num_users": 1200,
            "box_half_m": (120.0, 120.0),
            "coverage_m": 40.0,
            "urllc_packets": "medium",
            "reward": "lstm-a2c",
        },
        # Five services: the three, and two of one's own. Meters ask for no rate, downloads for no
        # latency.
        "five-services": {
            "slices": (
                {"like": "volte", "share": 2},
                {"like": "video", "share": 3},
                {"like": "urllc", "share": 3},
                {
                    "name": "meters",
                    "gap_s": ("exponential", 2.0),
                    "bits": 4000,
                    "latency_s": 0.05,
                    "share": 3,
                    "speed_mps": 0,
                },
                {
                    "name": "downloads",
                    "gap_s": ("uniform", 0.2, 1.0),
                    "bits": ("lomax", 1.5, 2e6, 4e7),
                    "rate_bps": 20e6,
                    "share": 1,
                },
            ),
        },
        # Seven cells and short windows, for tests and demos.
        "small": {"num_cells": 7, "num_users": 500, "slots_per_window": 200, "max_steps": 100},
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sites is None:
            check_int("num_cells", self.num_cells, 1, 1000)
            rings_for_cells(self.num_cells)
        else:
            object.__setattr__(self, "sites", check_sites(self.sites))
            object.__setattr__(self, "num_cells", len(self.sites))
        check_real("cell_radius_m", self.cell_radius_m, 1.0, 1e5)
        if self.box_half_m is not None:
            self._set("box_half_m", check_vector("box_half_m", self.box_half_m, 2, 1.0, 1e6))
        if self.users is not None:
            self._check_users()
        check_int("num_users", self.num_users, 1, 1_000_000)
        if self.coverage_m is not None:
            check_real("coverage_m", self.coverage_m, 1.0, 1e6)
        self._check_slices()
        self._set("user_mix", check_vector("user_mix", self.user_mix, 3, 0.0, 1e9))
        if not sum(self.user_mix) > 0:
            raise ValueError(f"user_mix must have a positive entry, got {self.user_mix}.")
        self._set("speeds_mps", check_vector("speeds_mps", self.speeds_mps, 3, 0.0, 1e3))
        self._check_radio()
        self._check_traffic()
        self._check_trace()
        check_int("history", self.history, 1, 16)
        check_choice("observation", self.observation, ("full", "paper"))
        check_choice("action", self.action, ("continuous", "discrete"))
        if self.action == "discrete":
            splits = number_of_splits(self.num_units, self.num_slices)
            if splits > MOST_SPLITS:
                raise ValueError(
                    f'action must be "continuous" for more than {MOST_SPLITS} splits, got '
                    f'"discrete" for {splits:.3g} splits of {self.num_units} units among '
                    f"{self.num_slices} slices; a greater unit_hz makes fewer."
                )
        self._set("ssr_weights", check_vector("ssr_weights", self.ssr_weights, 3, 0.0, 1e9))
        if not sum(self.ssr_weights) > 0:
            raise ValueError(f"ssr_weights must have a positive entry, got {self.ssr_weights}.")
        self._set("beta", check_vector("beta", self.beta, 3, -1e9, 1e9))
        check_int("num_threads", self.num_threads, 1, 1024)
        self._check_own(self.num_cells)

    def _check_radio(self) -> None:
        check_real("tx_power_dbm", self.tx_power_dbm, -200, 200)
        check_real("rx_gain_db", self.rx_gain_db, -200, 200)
        check_real("noise_dbm_hz", self.noise_dbm_hz, -400, 100)
        check_real("shadowing_db", self.shadowing_db, 0, 50)
        check_choice("log_base", self.log_base, ("log10", "log2"))
        check_real("mimo_gain", self.mimo_gain, 0, 1e6, low_open=True)
        check_flag("interference", self.interference)
        check_real("rb_hz", self.rb_hz, 1.0, 1e9)
        check_real("bandwidth_hz", self.bandwidth_hz, 1.0, 1e12)
        if self.bandwidth_hz / self.rb_hz > 10_000:
            raise ValueError(
                f"bandwidth_hz must be at most 10000 times rb_hz ({self.rb_hz:g}), "
                f"got {self.bandwidth_hz:g}."
            )
        k = self.num_slices
        if check_real("unit_hz", self.unit_hz, 1.0) > self.bandwidth_hz / k * (1 + 1e-9):
            part = "a third" if k == 3 else f"1/{k}"
            raise ValueError(
                f"unit_hz must be at most {part} of bandwidth_hz ({self.bandwidth_hz:g}), "
                f"got {self.unit_hz:g}."
            )
        units = self.bandwidth_hz / self.unit_hz
        if abs(units - round(units)) > 1e-9 * units:
            raise ValueError(
                f"unit_hz must divide bandwidth_hz ({self.bandwidth_hz:g}), got {self.unit_hz:g}."
            )

    def _check_slices(self) -> None:
        check_real("slot_s", self.slot_s, 1e-6, 1.0)
        if self.slices is None:
            return
        for field in dataclasses.fields(self):
            if field.name in _BUILT_IN:
                value = getattr(self, field.name)
                # A data set's own record of a default is a list; a user's may be an array.
                plain = tuple(value) if isinstance(value, (list, np.ndarray)) else value
                if plain != field.default:
                    raise ValueError(
                        f"{field.name} describes the three built-in slices and must keep its "
                        f"default {field.default} beside slices, whose classes hold their own, "
                        f"got {shown(value)}."
                    )
        slices = read_slices(self.slices, self._built_in_classes(), self.slot_s)
        object.__setattr__(self, "slices", slices)

    def _check_traffic(self) -> None:
        check_int("slots_per_window", self.slots_per_window, 1, 1_000_000)
        check_int("queue_packets", self.queue_packets, 1, 100)
        check_flag("carry_over", self.carry_over)
        check_real("volte_gap_s", self.volte_gap_s, 1e-9, 10_000 * self.slot_s)
        check_real("volte_bits", self.volte_bits, 1.0, 1e12)
        check_real("lomax_shape", self.lomax_shape, 0.1, 100.0)
        self._set("video_gap_s", check_vector("video_gap_s", self.video_gap_s, 2, 1e-9, 1e3))
        check_real("video_gap_s[1]", self.video_gap_s[1], 1e-9, 10_000 * self.slot_s)
        self._set("video_bits", check_vector("video_bits", self.video_bits, 2, 1.0, 1e12))
        check_real("urllc_gap_s", self.urllc_gap_s, 1e-9, 1e4)
        if isinstance(self.urllc_packets, str):
            check_choice("urllc_packets", self.urllc_packets, URLLC_PACKETS)
        else:
            sizes = check_vector("urllc_packets", self.urllc_packets, None, 1.0, 1e12)
            check_int("number of urllc_packets", int(sizes.size), 1, 64)
            self._set("urllc_packets", sizes)
        self._set("sla_rate_bps", check_vector("sla_rate_bps", self.sla_rate_bps, 3, 0.0, 1e15))
        latency = check_vector("sla_latency_s", self.sla_latency_s, 3, 0.0, 1e6)
        self._set("sla_latency_s", latency)

    def _check_users(self) -> None:
        table = read_table("users", self.users)
        if table.shape[1] != 2 or len(table) == 0:
            raise ValueError(
                "users must have a row for each user, at least one, and 2 columns (x and y in "
                f"metres), got shape {table.shape}."
            )
        centre, half = self.box
        outside = (np.abs(table - centre) > half).any(1)
        if outside.any():
            low, high, user = centre - half, centre + half, int(outside.argmax())
            raise ValueError(
                f"users must lie within x {low[0]:g} to {high[0]:g} and y {low[1]:g} to "
                f"{high[1]:g} metres (box_half_m), got user {user} at ({table[user, 0]:g}, "
                f"{table[user, 1]:g})."
            )
        object.__setattr__(self, "users", frozen(table))
        object.__setattr__(self, "num_users", len(table))

    def _check_trace(self) -> None:
        check_choice("traffic", self.traffic, ("classes", "trace"))
        check_flag("trace_random_start", self.trace_random_start)
        if self.user_classes is not None:
            classes = check_vector(
                "user_classes", self.user_classes, self.num_users, 0, self.num_slices - 1
            )
            whole = check_whole("user_classes", classes[None])[0]
            object.__setattr__(self, "user_classes", tuple(whole.tolist()))
        check_traced(self.trace, self.traffic)
        if self.trace is None:
            return
        table = check_matrix("trace", read_table("trace", self.trace), None, 0)
        packets = check_counts("trace", table)
        k, users = self.num_slices, self.num_users
        if len(packets) == 0 or packets.shape[1] not in (k, users) or users <= k:
            raise ValueError(
                f"trace must have at least one row, and {k} columns (slices) or {users} "
                f"(users, of whom there are more than {k}), got shape {packets.shape}."
            )
        users = users if packets.shape[1] == k else 1
        most = users * self.slots_per_window
        if packets.max() > most:
            raise ValueError(
                f"trace must hold at most {most} packets in an entry (one per user and slot), got "
                f"{packets.max()}."
            )
        object.__setattr__(self, "trace", frozen(packets))

    def _set(self, name: str, values: Any) -> None:
        """Stores a checked vector as a tuple of floats: hashable, equal to what was given."""
        object.__setattr__(self, name, tuple(float(value) for value in values))

    @classmethod
    def from_preset(cls, preset: str | None = None, **overrides: Any) -> SlicingConfig:
        """The configuration of a preset, with fields overridden; see `TaskConfig`.

        With `slices`, the preset's own values of what they describe give way to the defaults.
        """
        if overrides.get("slices") is not None:
            given = cls.presets.get(preset, {}) if isinstance(preset, str) else {}
            defaults = {field.name: field.default for field in dataclasses.fields(cls)}
            overrides = {name: defaults[name] for name in _BUILT_IN if name in given} | overrides
        return super().from_preset(preset, **overrides)

    @property
    def num_slices(self) -> int:
        """K, the slices that share the band."""
        return len(SLICES) if self.slices is None else len(self.slices)

    @property
    def slice_names(self) -> tuple[str, ...]:
        """Names of the slices, in the order of every slice axis."""
        return SLICES if self.slices is None else tuple(one.name for one in self.slices)

    @property
    def weights(self) -> tuple[float, ...]:
        """Of the satisfaction ratios in the reward `ssr`, before they are normalised."""
        return self.ssr_weights if self.slices is None else tuple(s.weight for s in self.slices)

    @property
    def betas(self) -> tuple[float, ...]:
        """Of the satisfaction ratios in the utility."""
        return self.beta if self.slices is None else self.weights

    @property
    def classes(self) -> tuple[TrafficClass, ...]:
        """Traffic classes of `slices`, or the three built-in ones."""
        return self._built_in_classes() if self.slices is None else self.slices

    def _built_in_classes(self) -> tuple[TrafficClass, ...]:
        laws = (
            (("uniform", 0.0, self.volte_gap_s), ("constant", self.volte_bits)),
            (
                ("lomax", self.lomax_shape, *self.video_gap_s),
                ("lomax", self.lomax_shape, *self.video_bits),
            ),
            (("exponential", self.urllc_gap_s), ("choice", *self.urllc_bits)),
        )
        return tuple(
            TrafficClass(
                name=name,
                gap_s=laws[s][0],
                bits=laws[s][1],
                rate_bps=self.sla_rate_bps[s],
                latency_s=self.sla_latency_s[s],
                share=self.user_mix[s],
                weight=self.ssr_weights[s],
                speed_mps=self.speeds_mps[s],
            )
            for s, name in enumerate(SLICES)
        )

    @property
    def cells(self) -> Cells:
        """Where base stations stand and who neighbours whom."""
        if self.sites is None:
            return hexagonal_cells(self.num_cells, math.sqrt(3.0) * self.cell_radius_m)
        return own_cells(self.sites, self.cell_radius_m)

    @property
    def box(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centre `(2,)` of the users' box, and half its width and height `(2,)`, in metres."""
        cells = self.cells
        centre = np.zeros(2) if self.sites is None else (cells.box[0] + cells.box[1]) / 2
        if self.box_half_m is not None:
            return centre, np.array(self.box_half_m)
        if self.sites is None:
            # A square around the cells; for one cell, that of Hua et al.: +- its radius.
            reach = np.linalg.norm(cells.sites, axis=1).max() + self.cell_radius_m
            return centre, np.array([reach, reach])
        return centre, np.abs(cells.sites - centre).max(0) + self.cell_radius_m

    @property
    def num_units(self) -> int:
        """Units that an allocation shares out."""
        return round(self.bandwidth_hz / self.unit_hz)

    @property
    def num_rbs(self) -> int:
        """Resource blocks in the whole band."""
        return int(self.bandwidth_hz / self.rb_hz + 1e-9)

    @property
    def urllc_bits(self) -> tuple[float, ...]:
        """Sizes of URLLC packets in bits."""
        sizes = self.urllc_packets
        return tuple(
            8.0 * size for size in (URLLC_PACKETS[sizes] if isinstance(sizes, str) else sizes)
        )
