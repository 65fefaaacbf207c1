"""CBF environment, version 0, with PettingZoo's module functions."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv

from wirelessenvs.parallel import WirelessParallelEnv, aec_env

__all__ = ["CBFParallelEnv", "env", "parallel_env", "raw_env"]


class CBFParallelEnv(WirelessParallelEnv):
    """Base stations of a cellular network choose their transmit beams so that all cells do well.

    In every slot each BS sends to its one user with a beam and a power; what it sends disturbs
    the users of other cells. The channels fade from slot to slot, and no BS ever sees one: it
    knows what its user measured and what its strongest interferers report.

    ## Agents
    `bs_0` .. `bs_{K-1}`, all alike: the centre of a hexagonal grid, then ring by ring its corners
    at -30, 30, ..., 270 degrees and the cells between them.

    ## Observation (per agent, float32)
    H(t) is the channel of slot t, w(t) the beams. X1(t) is measured at the end of slot t, with
    H(t) and w(t); X0(t) just after fading, with H(t) and the old beams w(t-1). For BS i and UE k:
    gain G_ik = |h_ik c_i|^2 of the unit-norm beam c_i, received power R_ik = p_i G_ik,
    interference plus noise IN_k = sum_{j != k} R_jk + noise, rate C_k = log2(1 + R_kk / IN_k).
    Before slot t, agent i sees 7 + 11 U entries, 62 with U = 5:

    | index | meaning | unit | divisor |
    |---|---|---|---|
    | 0 | own power p_i(t-1) | mW | power limit |
    | 1 | own beam index, 0..Q-1 | - | 1 |
    | 2 | own rate C_i(t-1) | bit/s/Hz | 5 |
    | 3, 4 | own gain G_ii of X0(t), of X0(t-1) | - | 1e-9 |
    | 5, 6 | interference plus noise IN_i of X0(t), of X0(t-1) | mW | 1e-7 |
    | 7 .. 6+4U | for j in I_i(t-1): j; R_ji; beam index of j; C_j, of X1(t-1) | -; mW; -; bit/s/Hz | K-1; 1e-9; 1; 5 |
    | next 4U | the same for I_i(t-2), of X1(t-2) | | |
    | last 3U | for k in O_i(t-1): G_ik; C_k; R_ik / IN_k, of X1(t-1) | -; bit/s/Hz; - | 1e-9; 5; 1 |

    I_i: the U BSs j with the largest R_ji; O_i: the U UEs k with the largest R_ik; strongest
    first, ties to the lower index, new in every slot. `observation="log"`: gains, received powers,
    interference and R_ik / IN_k become log10(1 + x) / 5, i.e. dB / 50, where x is a power over
    the noise (gains at the power limit) or the ratio itself. `observation="sweep"`: the official
    entries, then the Q gains |h_ii c_q|^2 / 1e-9 of X0(t), which a beam sweep would report.

    ## Action
    * `action="codebook"`: `Discrete(Q P)`, index = beam * P + power level; level m stands for
      m / (P - 1) of the power limit. Codeword entry (n, q) is
      exp(j 2 pi / 16 floor(n ((q + Q/2) mod Q) / (Q / 16))) / sqrt(N).
    * `action="beam"`: `Box(2 N)`, N real parts, then N imaginary parts of w in sqrt(mW). A norm
      above the power limit is scaled back. The beam index in observations is then that of the
      best-aligned codeword (0 for a silent BS).

    ## Reward
    r_i = C_i - sum_{k in O_i(t)} [log2(1 + R_kk / (IN_k - R_ik)) - C_k], of X1(t): the own rate
    minus what the own beam costs the U users that it disturbs most. In float64, with the
    difference floored at the noise.

    ## Step order
    `step(a_t)`: beams w(t) meet H(t); rates and rewards from X1(t); the channel fades to H(t+1);
    X0(t+1) is measured; the observation shows X1(t), X0(t+1), X1(t-1), X0(t).

    ## Graph and state
    `env.graph`: neighbouring cells of the hexagonal grid (42 undirected edges for 19 cells), or
    with `graph="interferers"` the current sets I_i. `state()`: all observations, then for every
    pair BS, UE log10(1 + Pmax ||h||^2 / noise) / 5 of the slot to come.

    ## Infos (per agent, of the slot just played)
    `rate` C_i (bit/s/Hz), `power` p_i as a share of the limit, `interference_db` IN_i in dB over
    the noise, `sinr_db` R_ii / IN_i in dB, at least -100.

    ## Episode
    Starts with a fresh channel and 10 warm-up slots of random beams; is truncated after
    `max_steps` (1,000) slots; never terminates. Preset "paper" has one fixed layout, all others
    draw a new one per episode.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `preset` | "paper" | "paper", "general" (random layouts, sweep), "cells-7", "cells-37", "cells-61" |
    | `max_steps`, `max_cycles` | 1000 | slots per episode |
    | `context` | False | append `env.context` to each observation: cells, neighbours, correlation of the fading, shadowing in dB |
    | `num_cells` | 19 | K, a full hexagonal grid: 7, 19, 37, 61, ... |
    | `sites`, `users` | None | coordinates of one's own in metres, arrays or files; `num_cells` follows |
    | `layout_seed` | 2019 | fixed layout of the published code; None: new layout per episode |
    | `num_antennas` | 3 | N, half-wavelength linear array |
    | `num_paths` | 4 | L |
    | `num_beams`, `num_power_levels` | 8, 5 | Q codewords; P levels linear in mW |
    | `num_interferers` | 5 | U |
    | `cell_radius_m`, `min_distance_m` | 200, 10 | UE distance from its BS is uniform between them |
    | `path_loss_intercept_db`, `path_loss_slope_db` | 120.9, 37.6 | loss at 1 km; per decade |
    | `shadowing_db` | 8 | log-normal standard deviation per link |
    | `angular_spread_deg`, `symmetric_spread` | 3, False | paths off the bearing by (U/2 - 1) AS, or by (U - 1/2) AS |
    | `normalized_innovation` | False | path innovations CN(0, 1/L) instead of CN(0, 1) |
    | `correlation` | 0.64 | rho of the fading |
    | `doppler_hz`, `slot_s` | None | either one makes rho = J0(2 pi fd T); the other is 10 Hz or 0.02 s |
    | `speed_mps`, `shadowing_distance_m` | 0, 50 | walking UEs; decorrelation distance of their shadowing |
    | `channel`, `bank`, `bank_sha256` | "fading", None | "bank": channels of an .npz file, and its checksum |
    | `max_power_dbm`, `noise_dbm` | 38, -114 | limit per BS; noise per UE |
    | `warm_up_slots` | 10 | random slots before the first |
    | `observation` | "official" | "official", "log", "sweep" |
    | `action` | "codebook" | "codebook", "beam" |
    | `graph`, `adjacency` | "hexagonal", None | "hexagonal", "interferers"; `(N, N)` 0/1 of one's own |
    | `reward` | "official" | or a function of a step's metrics, also `module:function` |

    docs/your-network.md describes the arguments that take arrays and files.

    ## Reference, and what differs
    J. Ge, Y.-C. Liang, J. Joung, S. Sun, "Deep Reinforcement Learning for Distributed Dynamic MISO
    Downlink-Beamforming Coordination", IEEE Trans. Commun. 68(10):6070-6085, 2020, as settled by
    the simulation code and results that its authors published. Differences: episodes (the source
    is one endless run); modern random streams beside the fixed layout; rewards in float64 (the
    source's float32 yields NaN where one interferer dominates). The code's one-sided angular
    spread and its unnormalised innovation are kept by default. docs/cbf.md states each choice.

    ## Expert scores
    Mean rate in bit/s/Hz per cell and reward, preset "paper", 16 environments x 1,000 slots;
    docs/cbf.md sets them beside the published figures. The command that prints them:
    `python -m wirelessenvs.scores cbf-v0 --episodes 16 --steps 1000`

    | policy | information | action | rate | reward |
    |---|---|---|---|---|
    | random | local | codebook | 4.390 | 2.846 |
    | greedy (= sweep, which is local) | genie | codebook | 7.518 | 5.278 |
    | coordinate-ascent = expert | central | codebook | 8.597 | 7.191 |
    | coordinate-ascent-genie | genie | codebook | 8.866 | 7.589 |
    | mrt | genie | beam | 7.497 | 5.271 |
    | slnr | genie | beam | 8.259 | 6.526 |
    | fp-causal | central | beam | 9.072 | 7.557 |
    | fp-causal-warm = expert | central | beam | 9.350 | 8.023 |
    | fp | genie | beam | 9.445 | 8.105 |
    | fp-warm | genie | beam | 9.662 | 8.462 |

    ## Version history
    * v0: first version.
    """  # noqa: E501

    task_id = "cbf-v0"
    metadata = WirelessParallelEnv.metadata | {"name": "cbf_v0"}


parallel_env = CBFParallelEnv


def raw_env(**kwargs: Any) -> AECEnv:
    """The environment for the agent-environment-cycle API; arguments as for `parallel_env`."""
    return aec_env(parallel_env(**kwargs))


env = raw_env
