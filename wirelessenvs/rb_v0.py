"""RB environment, version 0, with PettingZoo's module functions."""

from __future__ import annotations

from typing import Any

from pettingzoo import AECEnv

from wirelessenvs.parallel import WirelessParallelEnv, aec_env

__all__ = ["RBParallelEnv", "env", "parallel_env", "raw_env"]


class RBParallelEnv(WirelessParallelEnv):
    """Nodes of a clustered ad hoc network ask for resource blocks of an MF-TDMA frame.

    In every frame of 25 ms, 8 or 9 nodes share 40 resource blocks (10 slots x 4 frequencies) for
    bursty traffic: whoever asks for too little lets packets wait, whoever asks for too much takes
    blocks from others. Requests are made before the frame's arrivals are known; that is the task.

    ## Agents
    `node_0` .. `node_{N-1}`, all alike. The cluster head is no agent: it grants requests by rule.

    ## Observation (per agent, float32)
    | index | meaning | unit | range |
    |---|---|---|---|
    | 0 | arrivals g of the last frame | packets | 0.. |
    | 1 | queue q after the last frame | packets | 0..`queue_capacity` |
    | 2 | RBs n granted in the last frame | RBs | 0..`num_slots` |
    | 3 | age of the head-of-line packet: frames waited so far, 0 if there is none | frames | 0.. |

    With `observation="paper"` only entries 0 and 1. Nothing is scaled. Under
    `arbitration="collision"` entry 2 counts the RBs that nobody else disturbed.

    With `units="fair-share"` entries 0 to 2 are multiples of the node's fair share of the frame,
    R / N in a cluster. With `context=True` the context follows: number of nodes, fair share in RBs,
    number of neighbours, the node's mean rate in packets per frame.

    ## Action
    `Discrete(num_slots + 1)`: RBs asked for, 0..10. Real numbers are accepted, rounded half away
    from zero and clipped. With `units="fair-share"` a `Box` of one entry instead, 0..10 fair
    shares: rounded half up to RBs, at most `num_slots`.

    ## Step order
    1. Requests a_i. 2. Grants: nodes in turn from node t mod N, n_i = min(a_i, RBs left) (or
    `arbitration="max-min"`, `"collision"`; or by conflict graph). 3. Arrivals g_i from a stream
    that no action touches. 4. Service d_i = min(q_i + g_i, n_i), oldest packets first; each packet
    is lost on air and stays queued with `erasure_probability`. 5. y_i = q_i + g_i - d_i;
    dropped_i = max(y_i - `queue_capacity`, 0); q_i = y_i - dropped_i.

    ## Reward
    r_i = 0.1 d_i - 1.0 q_i - 10 dropped_i - 0 wasted_i, q_i after service; the coefficients are
    `served_reward`, `delay_cost`, `drop_cost`, `waste_cost`. The queue term is an exact delay cost
    (each queued packet waits one frame: Little's law). `reward="neighbors"` is the mean over the
    agent and its neighbours, `"global"` the mean over all.

    ## Graph and state
    `env.graph`: ring lattice, two neighbours on each side; `graph=` sets others. It says what is
    heard; all nodes of a cluster compete for the same RBs regardless. `state()`: all observations,
    then every node's hidden traffic mode (0 low, 1 high) of the frame to come.

    ## Infos (per agent, of the frame just played)
    `served`, `waited` (packets left in the queue = frames of waiting added), `dropped`, `wasted`
    (RBs occupied without a delivery), `granted`, `generated`.

    ## Episode
    Starts with empty queues and traffic in its steady state; is truncated after `max_steps`
    (1,000) frames; never terminates.

    ## Arguments
    | argument | default | meaning |
    |---|---|---|
    | `preset` | "rb-8" | "rb-8", "rb-9", or "conflict" (six links, one channel) |
    | `max_steps`, `max_cycles` | 1000 | frames per episode |
    | `context` | False | append `env.context` to each observation |
    | `num_nodes` | 8 | nodes N, 2..RBs per frame |
    | `num_slots`, `num_frequencies` | 10, 4 | frame; a node gets at most one RB per slot |
    | `frame_ms` | 25.0 | duration of a frame, for pictures |
    | `traffic` | "mmpp" | "mmpp", "poisson", "bernoulli", "trace" |
    | `mean_rate` | 4.0 | packets per frame, one number or one per node |
    | `modulation` | 0.5 | swing of the MMPP rates: 2 and 6 packets per frame |
    | `switch_probability` | 0.2 | chance per frame that a node's MMPP mode changes |
    | `load` | None | scales `mean_rate` to this share of the RBs |
    | `trace`, `trace_random_start` | None, True | `(T, N)` arrivals or a file, again and again |
    | `queue_capacity` | 40 | packets; more are dropped from the tail |
    | `erasure_probability` | 0.0 | loss on air, one number or one per node |
    | `arbitration` | "rotating" | "rotating", "max-min", "collision" |
    | `conflicts` | None | `(N, N)` 0/1: nodes that cannot share an RB; None: one cluster |
    | `observation` | "full" | "full", "paper" |
    | `units` | "natural" | "natural", "fair-share" |
    | `reward` | "own" | "own", "neighbors", "global", or a function (docs/your-network.md) |
    | `served_reward`, `delay_cost`, `drop_cost`, `waste_cost` | 0.1, 1, 10, 0 | coefficients |
    | `graph` | "ring-2" | also "ring-1", "complete", "geometric", "conflict", "none", a matrix |
    | `adjacency` | None | `(N, N)` 0/1, a matrix or a file: any graph, also one-way |
    | `graph_radius`, `graph_seed` | 0.4, 0 | of the geometric graph in the unit square |

    ## Reference, and what differs
    K. Meng et al., "Conditional diffusion model with OOD mitigation as high-dimensional offline
    resource allocation planner in clustered ad hoc networks", IEEE Trans. Commun. 73(12), 2025,
    simulated in OPNET; also K. Meng et al., "NetWorld", arXiv:2602.00558. The frame, the cluster
    sizes, integer actions and delay-dominated rewards are published; traffic law, reward and data
    are not. This model is NetWorld-consistent: it agrees with every published sentence, and it is
    not the authors' environment. docs/rb.md states each choice.

    ## Expert scores
    Mean reward per agent and frame: `python -m wirelessenvs.scores rb-v0` prints these policies.

    | policy | information | rb-8 | rb-9 |
    |---|---|---|---|
    | random | local | -13.57 | -18.02 |
    | round-robin | local | -5.51 | -20.69 |
    | demand | local | -3.88 | -4.82 |
    | demand-mean | local | -2.08 | -7.53 |
    | hysteresis | local | -9.88 | -15.74 |
    | mean-field | neighbors | -1.32 | -2.99 |
    | maxweight | central | -1.16 | -2.58 |
    | proportional-fair | central | -2.85 | -4.05 |
    | expert | central | -1.08 | -2.49 |
    | bayes | central | -0.97 | -2.39 |
    | genie | genie | -0.50 | -1.79 |
    | clairvoyant | clairvoyant | 0.13 | -0.81 |

    ## Version history
    * v0: first version.
    """

    task_id = "rb-v0"
    metadata = WirelessParallelEnv.metadata | {"name": "rb_v0"}


parallel_env = RBParallelEnv


def raw_env(**kwargs: Any) -> AECEnv:
    """The environment in PettingZoo's agent-environment-cycle form; arguments as above."""
    return aec_env(parallel_env(**kwargs))


def env(**kwargs: Any) -> AECEnv:
    """Same as `raw_env`: illegal actions raise errors already."""
    return raw_env(**kwargs)
