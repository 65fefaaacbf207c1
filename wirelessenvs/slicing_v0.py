"""Network slicing, PettingZoo style: `env`, `parallel_env`, `raw_env`."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv

from wirelessenvs.parallel import WirelessParallelEnv, aec_env

__all__ = ["SlicingParallelEnv", "env", "parallel_env", "raw_env"]


class SlicingParallelEnv(WirelessParallelEnv):
    """Every base station of a dense cellular network splits its band among services.

    Before each window of one second it gives bandwidths to VoLTE, video and URLLC, or to the K
    `slices` of one's own; the reward tells which share of its users' packets met rate and latency of
    their service level (SLA). Below, every triple is then one entry per slice.

    ## Agents
    `bs_0` .. `bs_18`, all alike: the centre of a hexagonal grid, then the others ring by ring.

    ## Observation (per agent, float32; `history` = 2 windows by default)
    | index | meaning | unit | range |
    |---|---|---|---|
    | 0-2 | packets of VoLTE, video, URLLC in the last window, dropped ones included | packets | 0.. |
    | 3-5 | the same, one window earlier (further triples for a longer history) | packets | 0.. |
    | 6-8 | last allocation of VoLTE, video, URLLC | MHz | 0.2-9.6, sum 10 |
    | 9-11 | last SLA satisfaction ratio (SSR) of VoLTE, video, URLLC | 1 | 0-1 |

    `observation="paper"` leaves only the demands. Demands do not depend on actions, so without the
    last allocation no model of inverse dynamics can recover an action from two observations.

    ## Action
    | `action` | space | meaning |
    |---|---|---|
    | `"continuous"` | `Box(0, 1e7, (3,))` | bandwidths in Hz, scaled to the band in whole units: largest remainder, at least one unit each |
    | `"discrete"` | `Discrete(1176)` | index in the lexicographic list of splits (36 for units of 1 MHz) |

    A slice with bandwidth B schedules floor(B / 180 kHz) resource blocks.

    ## Reward
    SSR_n = packets that met their SLA / packets that arrived or were dropped.

    | `reward` | formula |
    |---|---|
    | `"ssr"` | mean of the SSRs (weights: `ssr_weights`), in 0..1 |
    | `"utility"` | J = 0.01 SE + sum of beta_n SSR_n |
    | `"lstm-a2c"` | -5 unless SSR_volte, SSR_video >= 0.98; else 10 (SSR_urllc - 0.7) while SSR_urllc < 0.95; else 4 + 0.1 max(SE - 280, 0); of other slices, the last is as URLLC |

    All of them are in the infos, with SSRs, spectral efficiency SE, demands, drops, bandwidths, load,
    handovers and the number of slices without a packet (their SSR counts as 1).

    ## Graph
    `env.graph`: cells that share a side (degree 3, 4 or 6; 42 edges for 19 cells).

    ## Step order
    Allocate; then per slot of 0.5 ms: arrivals of the slot before, schedule (users with
    packets share the slice's resource blocks, leftovers in turn), shadowing and rates, every queued
    packet ages one slot, serve first come first served, count; after the window users move and join
    the nearest base station.

    ## Episode
    Users and their directions are drawn at reset, then `history` windows pass under equal
    shares, so that the first observation is a real one. Truncated after `max_steps` windows; nothing
    terminates.

    ## Service classes
    | | VoLTE | video | URLLC |
    |---|---|---|---|
    | gap between packets | U(0, 160) ms | min(6 ms X, 12.5 ms) | Exp(180 ms) |
    | packet size | 320 bit | min(800 X, 2000) bit | 0.3-0.7 MB (`"large"`), 0.3 MB (`"medium"`), 6.4-32 kB (`"small"`) |
    | SLA rate | 51 kbit/s | 100 Mbit/s | 10 Mbit/s |
    | SLA latency | < 10 ms | < 10 ms | < 3 ms |
    | speed | 1 m/s | 4 m/s | 8 m/s |
    | share of users | 1/6 | 2/6 | 3/6 |

    X is Lomax with shape 1.2: P(X > x) = (1 + x)^-1.2. A packet served in its first slot is judged by
    its user's rate in that slot, a later one by size / latency.

    ## Arguments
    Presets: `"paper"`, `"physical"` (Shannon rates), `"coupled"` (queues survive windows and cells
    interfere: actions change what comes), `"single-bs"` (Hua et al.), `"lstm-a2c"` (Li et al.),
    `"five-services"` (an example of `slices`), `"small"` (7 cells, short windows).

    Beside the arguments of `WirelessParallelEnv`, these are the fields of
    `wirelessenvs.slicing.SlicingConfig`, which states the unit and source of each.

    | argument | default | meaning |
    |---|---|---|
    | `max_steps` | 1000 | windows per episode |
    | `context` | False | append `env.context` to each observation: cells, neighbours, users per cell, share of each class, URLLC packet in kB |
    | `num_cells` | 19 | cells: 1, 7, 19, 37, 61, ... |
    | `sites` | None | coordinates of one's own in metres, an array or a file (docs/your-network.md); `num_cells` follows |
    | `num_users` | 2000 | subscribers in the area |
    | `users` | `None` | `(num_users, 2)` metres where they begin, or a file; `None`: anywhere |
    | `cell_radius_m` | 40 | circumradius of a cell |
    | `box_half_m` | None | half sizes of the users' box in m; None: a square, one radius beyond the outermost stations |
    | `coverage_m` | None | greatest serving distance |
    | `user_mix` | (1, 2, 3) | VoLTE : video : URLLC |
    | `speeds_mps` | (1, 4, 8) | speeds of the classes |
    | `tx_power_dbm`, `rx_gain_db`, `noise_dbm_hz`, `shadowing_db` | 46, 20, -174, 8 | link budget |
    | `log_base`, `mimo_gain` | "log10", 64 | rate = w log(1 + SNR) gain |
    | `interference`, `carry_over` | False, False | couplings |
    | `bandwidth_hz`, `rb_hz`, `unit_hz` | 10e6, 180e3, 200e3 | band, resource block, unit |
    | `slots_per_window`, `slot_s`, `queue_packets` | 2000, 0.5e-3, 5 | time and queues |
    | `volte_gap_s`, `volte_bits`, `lomax_shape`, `video_gap_s`, `video_bits`, `urllc_gap_s`, `urllc_packets` | as above, "large" | traffic |
    | `slices` | None | 2 to 16 traffic classes of one's own, a list or a JSON file of one, in place of the three and their arguments (docs/slicing.md) |
    | `traffic`, `trace`, `trace_random_start` | "classes", None, True | "trace": packets per window of each slice or user, an array or a file |
    | `user_classes` | None | class 0, 1, ... of each user |
    | `sla_rate_bps`, `sla_latency_s` | as above | service levels |
    | `history`, `observation`, `action`, `reward`, `ssr_weights`, `beta` | 2, "full", "continuous", "ssr", (1, 1, 1), (1, 1, 1) | interface |
    | `adjacency` | None | `(N, N)` 0/1, a matrix or a file: any graph |
    | `num_threads` | 1 | worker threads; results do not depend on it |

    ## Reference, and what differs
    The 19-cell task of Y. Shao, R. Li, B. Hu, Y. Wu, Z. Zhao, H. Zhang, "Graph attention
    network-based multi-agent reinforcement learning for slicing resource management in dense cellular
    network", IEEE Trans. Veh. Technol. 70(10), 2021. Its code is not public. Built here from its
    published parents: Y. Hua et al., "GAN-powered deep distributional reinforcement learning for
    resource management in network slicing", IEEE JSAC 38(2), 2020, and R. Li et al., "The LSTM-based
    advantage actor-critic learning for resource management in network slicing with user mobility",
    IEEE Commun. Lett. 24(9), 2020, with their published simulation code. So: the environment of Li
    et al. on 19 cells. What differs is listed in `docs/slicing.md`.

    ## Expert scores
    Mean reward per agent and window, 19 cells; `python -m wirelessenvs.scores
    slicing-v0` prints these policies beside the known figures.

    | policy | information | SSR | utility (1, 4, 6), 0.3 MB | shaping, 0.3 MB |
    |---|---|---|---|---|
    | random | local | 0.725 | 10.19 | -2.93 |
    | hard | local | 0.741 | 11.76 | -0.14 |
    | users | central | 0.860 | 13.25 | 3.05 |
    | packets | local | 0.667 | 9.88 | -7.00 |
    | bits | local | 0.665 | 8.26 | -5.00 |
    | static | local | 0.958 | 13.90 | 4.73 |
    | expert | local | 0.959 | 14.11 | 6.80 |
    | oracle | clairvoyant | 0.960 | 14.15 | 9.22 |

    ## Version history
    * v0: first version.
    """  # noqa: E501

    task_id = "slicing-v0"
    metadata = WirelessParallelEnv.metadata | {"name": "slicing_v0"}


parallel_env = SlicingParallelEnv


def raw_env(**kwargs: Any) -> AECEnv:
    """The environment with agents in turn (AEC)."""
    return aec_env(parallel_env(**kwargs))


def env(**kwargs: Any) -> AECEnv:
    """The environment with agents in turn (AEC)."""
    return aec_env(parallel_env(**kwargs))
