"""How a controller divides a frame, compiled: newsvendor-greedy, MaxWeight, proportional fair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.compiled import njit
from wirelessenvs.rb.kernels import Flags, Ints, Reals, best_slot

__all__ = [
    "colors",
    "filter_modes",
    "longest_first",
    "max_weight",
    "maximal_independent_sets",
    "mean_field",
    "newsvendor",
    "proportional_fair",
]


@njit(nogil=True)
def mean_field(
    queues: Reals, rates: Reals, weights: Reals, shares: Reals, trust: Reals, most: int
) -> Ints:
    """Requests of the mean-field rule; see `wirelessenvs.rb.policies.MeanField`.

    Args:
        queues: `(B, N)` packets waiting.
        rates: `(B, N)` estimated arrivals per frame.
        weights: `(N, N)` rows average the neighbours' values.
        shares: `(N,)` fair shares s.
        trust: `(N,)` confidence w in what is heard.
        most: S.

    Returns:
        `(B, N)` requests.
    """
    batch, n = queues.shape
    requests = np.empty((batch, n), np.int64)
    for b in range(batch):
        for i in range(n):
            heard = 0.0
            for j in range(n):
                heard += weights[i, j] * (queues[b, j] + rates[b, j])
            need = queues[b, i] + rates[b, i]
            expected = trust[i] * heard + (1 - trust[i]) * shares[i]
            wanted = int(np.floor(need * shares[i] / expected + trust[i] / 2))
            least = 1 if queues[b, i] > 0 and need >= heard else 0
            requests[b, i] = min(max(wanted, least), most)
    return requests


@njit(nogil=True)
def _try_to_give(
    i: int, counts: Ints, placed: Ints, left: int, conflicts: Flags, frequencies: int
) -> int:
    """Gives node `i` one more RB if it fits; returns the RBs left of a single cluster, or -1.

    `placed` has no rows in a single cluster, where counts decide; on a conflict graph it holds
    the `(N, S)` frequencies used.
    """
    if placed.shape[0] == 0:
        if left == 0:
            return -1
        counts[i] += 1
        return left - 1
    slot, frequency = best_slot(i, placed, conflicts, frequencies)
    if slot < 0:
        return -1
    placed[i, slot] = frequency
    counts[i] += 1
    return left


@njit(nogil=True)
def newsvendor(
    queues: Ints,
    rates: Reals,
    weights: Reals,
    prices: Reals,
    slots: int,
    frequencies: int,
    conflicts: Flags,
    single: bool,
    counts: Ints,
) -> None:
    """Gives RBs one by one to the node most likely to use one more.

    The k-th RB of node i is used with probability P(q_i + G_i >= k), which falls with k: giving RBs
    in the order of these marginals maximises the expected packets served in the frame. G_i is
    Poisson with the rate of one of M modes, each with its probability. Ties go to the longer queue,
    then to the lower index.

    Args:
        queues: `(B, N)` int64 packets known to be there.
        rates: `(B, M, N)` float64 expected arrivals in each mode; 0 where nothing more can come.
        weights: `(B, M, N)` float64 probabilities of the modes.
        prices: [gain per packet served, loss per RB wasted]: an RB that loses more than it gains
            stays free.
        slots: S, most RBs of a node.
        frequencies: F per slot.
        conflicts: `(N, N)` bool.
        single: whether all nodes conflict, so that counts decide what fits.
        counts: `(B, N)` int64 output.
    """
    batch, n = queues.shape
    modes = rates.shape[1]
    pmf = np.empty((modes, n))  # weighted by the modes' probabilities
    tail = np.empty(n)  # P(q_i + G_i >= next RB); negative once node i can take no more
    beyond = np.empty(n, np.int64)  # next RB minus queue: arrivals that must come for it
    placed = np.empty((0 if single else n, slots), np.int64)
    for b in range(batch):
        counts[b] = 0
        placed[:] = -1
        left = slots * frequencies
        for i in range(n):
            for m in range(modes):
                pmf[m, i] = weights[b, m, i] * np.exp(-rates[b, m, i])
            beyond[i] = 1 - queues[b, i]
            tail[i] = 1.0 if beyond[i] <= 0 else 1.0 - pmf[:, i].sum()
        while True:
            best = 0
            for i in range(1, n):
                if tail[i] > tail[best] or (
                    tail[i] == tail[best] and queues[b, i] > queues[b, best]
                ):
                    best = i
            if tail[best] <= 0 or tail[best] * prices[0] <= (1 - tail[best]) * prices[1]:
                break
            after = _try_to_give(best, counts[b], placed, left, conflicts, frequencies)
            if after < 0:
                if single:
                    break
                tail[best] = -1.0
                continue
            left = after
            beyond[best] += 1
            if counts[b, best] == slots:
                tail[best] = -1.0
            elif beyond[best] == 1:
                tail[best] = 1.0 - pmf[:, best].sum()
            elif beyond[best] > 1:
                # The tail of the series cancels to within rounding; below that nothing is left.
                for m in range(modes):
                    pmf[m, best] *= rates[b, m, best] / (beyond[best] - 1)
                    tail[best] -= pmf[m, best]


@njit(nogil=True)
def filter_modes(beliefs: Reals, generated: Ints, rates: Reals, switch_probability: float) -> None:
    """One step of the forward recursion for each node's hidden two-state traffic mode.

    By Bayes' rule on the Poisson count of a frame, then the chain's own step: the exact
    distribution of the mode behind the next frame, given all counts so far.

    Args:
        beliefs: `(B, N)` probability of the high mode behind the frame that was played; holds that
            of the next frame afterwards.
        generated: `(B, N)` packets that arrived in the frame.
        rates: `(2, N)` packets per frame in the low and the high mode.
        switch_probability: per frame.
    """
    batch, n = beliefs.shape
    for b in range(batch):
        for i in range(n):
            low, high, count = rates[0, i], rates[1, i], generated[b, i]
            if high == 0.0:
                odds = 1.0
            elif low == 0.0:
                # Log of 0 has no place in the ratio below: only the high mode makes packets.
                odds = np.exp(-high) if count == 0 else np.inf
            else:
                odds = np.exp(count * np.log(high / low) - (high - low))
            chance = beliefs[b, i]
            if chance == 1.0 or odds == np.inf:
                # In the limits the ratio below is 0 / 0 or inf / inf.
                known = 1.0 if chance > 0.0 else 0.0
            else:
                known = chance * odds / (chance * odds + 1.0 - chance)
            beliefs[b, i] = known + switch_probability * (1.0 - 2.0 * known)


@njit(nogil=True)
def proportional_fair(
    queues: Ints,
    throughput: Reals,
    weight: float,
    slots: int,
    frequencies: int,
    conflicts: Flags,
    single: bool,
    counts: Ints,
) -> None:
    """Gives RBs one by one to the backlogged node with the least throughput, then to any.

    All RBs carry one packet, so that the proportional-fair metric (instantaneous over mean rate)
    ranks nodes by 1 / ((1 - w) T_i + w n_i), with the RBs n_i given in this frame counted in. What
    is left when no node has a waiting packet without an RB is given by the same ranking.

    Args:
        queues: `(B, N)` int64.
        throughput: `(B, N)` float64 mean packets served per frame T.
        weight: w of the newest frame in the mean.
        slots: S.
        frequencies: F.
        conflicts: `(N, N)` bool.
        single: whether all nodes conflict.
        counts: `(B, N)` int64 output.
    """
    batch, n = queues.shape
    full = np.empty(n, np.bool_)
    placed = np.empty((0 if single else n, slots), np.int64)
    for b in range(batch):
        counts[b] = 0
        placed[:] = -1
        left = slots * frequencies
        full[:] = False
        for backlogged_only in (True, False):
            while True:
                best, least = -1, np.inf
                for i in range(n):
                    limit = min(queues[b, i], slots) if backlogged_only else slots
                    mean = (1 - weight) * throughput[b, i] + weight * counts[b, i]
                    if not full[i] and counts[b, i] < limit and mean < least:
                        best, least = i, mean
                if best < 0:
                    break
                after = _try_to_give(best, counts[b], placed, left, conflicts, frequencies)
                if after < 0:
                    full[best] = True
                else:
                    left = after


@njit(nogil=True)
def longest_first(queues: Ints, frames: Ints, slots: int, available: int, counts: Ints) -> None:
    """MaxWeight in a single cluster: the largest sum of q_i n_i with n_i <= min(q_i, S).

    Nodes are served in the order of their queues. RBs that no waiting packet needs go to the nodes
    in turn, for packets to come. Among equals node `frame mod N` comes first.

    Args:
        queues: `(B, N)` int64.
        frames: `(B,)` int64 frame numbers.
        slots: S.
        available: RBs per frame.
        counts: `(B, N)` int64 output.
    """
    batch, n = queues.shape
    for b in range(batch):
        counts[b] = -1
        left = available
        for _rank in range(n):
            best = -1
            for k in range(n):
                i = (frames[b] + k) % n
                if counts[b, i] < 0 and (best < 0 or queues[b, i] > queues[b, best]):
                    best = i
            counts[b, best] = min(queues[b, best], slots, left)
            left -= counts[b, best]
        given = True
        while left > 0 and given:
            given = False
            for k in range(n):
                i = (frames[b] + k) % n
                if left > 0 and counts[b, i] < slots:
                    counts[b, i] += 1
                    left -= 1
                    given = True


@njit(nogil=True)
def max_weight(
    queues: Ints, frames: Ints, sets: Flags, slots: int, frequencies: int, counts: Ints
) -> None:
    """MaxWeight on a conflict graph: every RB goes to the independent set with the largest sum.

    Slot by slot, frequency by frequency; a node counts with its queue at the start of the frame as
    long as it has a waiting packet without an RB and does not transmit in the slot yet. Of equal
    sums the set with more idle nodes wins, then the first, searched from set `frame mod M`.

    Args:
        queues: `(B, N)` int64.
        frames: `(B,)` int64 frame numbers.
        sets: `(M, N)` bool maximal independent sets.
        slots: S.
        frequencies: F.
        counts: `(B, N)` int64 output.
    """
    batch, n = queues.shape
    num_sets = sets.shape[0]
    busy = np.empty(n, np.bool_)
    for b in range(batch):
        counts[b] = 0
        for _slot in range(slots):
            busy[:] = False
            for _frequency in range(frequencies):
                best, most, larger = -1, 0, 0
                for k in range(num_sets):
                    m = (frames[b] + k) % num_sets
                    weight, members = 0, 0
                    for i in range(n):
                        if sets[m, i] and not busy[i]:
                            members += 1
                            if counts[b, i] < queues[b, i]:
                                weight += queues[b, i]
                    if weight > most or (weight == most and members > larger):
                        best, most, larger = m, weight, members
                if best < 0:
                    break
                for i in range(n):
                    if sets[best, i] and not busy[i]:
                        counts[b, i] += 1
                        busy[i] = True


def maximal_independent_sets(conflicts: NDArray[np.bool_], limit: int) -> NDArray[np.bool_]:
    """All maximal independent sets of a conflict graph.

    Bron and Kerbosch (Commun. ACM 16(9), 1973) on the complement graph, with pivots.

    Args:
        conflicts: `(N, N)` symmetric.
        limit: most sets that are acceptable.

    Returns:
        `(M, N)` membership.

    Raises:
        ValueError: if there are more than `limit`.
    """
    n = len(conflicts)
    compatible = [set(np.flatnonzero(~conflicts[i]).tolist()) - {i} for i in range(n)]
    found: list[list[int]] = []

    def extend(chosen: list[int], open_: set[int], closed: set[int]) -> None:
        if not open_ and not closed:
            found.append(chosen)
            if len(found) > limit:
                raise ValueError(
                    f"conflicts must have at most {limit} maximal independent sets for "
                    f"MaxWeight, got more."
                )
            return
        pivot = max(open_ | closed, key=lambda node: len(compatible[node] & open_))
        for node in sorted(open_ - compatible[pivot]):
            extend([*chosen, node], open_ & compatible[node], closed & compatible[node])
            open_ = open_ - {node}
            closed = closed | {node}

    extend([], set(range(n)), set())
    sets = np.zeros((len(found), n), np.bool_)
    for row, members in zip(sets, sorted(sorted(members) for members in found), strict=True):
        row[members] = True
    return sets


def colors(conflicts: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`(N,)` greedy colouring in index order: conflicting nodes get different colours."""
    chosen = np.full(len(conflicts), -1, np.int64)
    for node, row in enumerate(conflicts):
        taken = set(chosen[row].tolist())
        chosen[node] = next(color for color in range(len(conflicts)) if color not in taken)
    return chosen
