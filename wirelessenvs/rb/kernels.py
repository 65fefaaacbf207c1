"""One frame of the RB task, compiled: arbitration, service, rewards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.compiled import njit

__all__ = ["advance", "best_slot", "place"]

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Columns of a node's integer state (B, N, FIELDS); the first four are its observation.
GENERATED, QUEUE, GRANTED, AGE, SERVED, DROPPED, HEAD, FIELDS = 0, 1, 2, 3, 4, 5, 6, 7

# Arbitration rules of `advance`.
ROTATING, MAX_MIN, PLACED, COLLIDED = 0, 1, 2, 3


@njit(nogil=True)
def _share_in_turn(requests: Ints, nodes: Ints, first: int, available: int) -> None:
    """Grants what is asked for in cyclic order from node `first` until RBs run out."""
    n = requests.shape[0]
    for k in range(n):
        i = first + k
        if i >= n:
            i -= n
        granted = min(requests[i], available)
        nodes[i, GRANTED] = granted
        available -= granted


@njit(nogil=True)
def _share_in_rounds(requests: Ints, nodes: Ints, first: int, available: int) -> None:
    """Grants one RB per round to each node that wants more: the integer max-min fair share."""
    n = requests.shape[0]
    for i in range(n):
        nodes[i, GRANTED] = 0
    asked = True
    while asked and available > 0:
        asked = False
        for k in range(n):
            i = (first + k) % n
            if available > 0 and nodes[i, GRANTED] < requests[i]:
                nodes[i, GRANTED] += 1
                available -= 1
                asked = True


# Inlined by force: a call that passes array slices costs as much as the arithmetic in it.
@njit(nogil=True, inline="always")
def _arrived(sent: int, u: float, passing: Reals) -> int:
    """How many of `sent` packets get through: binomial, by inverse transform of uniform `u`."""
    passed = 0
    while u >= passing[sent, passed]:
        passed += 1
    return passed


@njit(nogil=True, inline="always")
def _update_queue(node: Ints, stamps: NDArray[np.int32], frame: int, served: int) -> int:
    """Takes served packets from the queue's head and adds the frame's arrivals to its tail.

    Args:
        node: `(FIELDS,)` state with GENERATED set and QUEUE as before the frame.
        stamps: `(C,)` ring buffer of the frames in which the packets arrived.
        frame: that is being played.
        served: packets delivered, of the queue first.

    Returns:
        Packets dropped because the queue was full.
    """
    capacity = stamps.shape[0]
    queue = node[QUEUE]
    left = queue + node[GENERATED] - served
    dropped = max(left - capacity, 0)
    left -= dropped
    head = node[HEAD] + min(served, queue)
    if head >= capacity:
        head -= capacity
    for k in range(max(queue - served, 0), left):
        slot = head + k
        if slot >= capacity:
            slot -= capacity
        stamps[slot] = frame
    node[QUEUE] = left
    node[HEAD] = head
    # Frames waited so far: 1 for a packet that arrived in this frame and stayed.
    node[AGE] = frame + 1 - stamps[head] if left > 0 else 0
    return dropped


@njit(nogil=True)
def advance(
    requests: Ints,
    active: Flags,
    nodes: Ints,
    stamps: NDArray[np.int32],
    clocks: Ints,
    arrivals: NDArray[np.uint16],
    limits: Ints,
    prices: Reals,
    mixing: Reals,
    luck: Reals,
    passing: Reals,
    observations: NDArray[np.float32],
    values: Reals,
) -> bool:
    """Advances every active environment by one frame.

    Args:
        requests: `(B, N)` int64 RBs asked for.
        active: `(B,)` bool.
        nodes: `(B, N, FIELDS)` int64 state, changed in place.
        stamps: `(B, N, C)` int32 ring buffers: frame in which each queued packet arrived.
        clocks: `(B, 2)` int64 frame number, and position in the block of drawn arrivals.
        arrivals: `(B, K, N)` uint16 packets of the drawn frames.
        limits: int64 [RBs per frame, arbitration rule, whether rewards are mixed].
        prices: float64 [per served, queued, dropped, wasted].
        mixing: `(N, N)` float64 weights of nodes' rewards in a node's reward.
        luck: `(B, K, N, W)` uniforms; column 0 decides erasures. W is 0 without erasures.
        passing: `(N, S + 1, S + 1)` distribution of packets that get through.
        observations: `(B, N, D)` float32 output.
        values: `(7, B, N)` float64 output, zero on entry: rewards, served, waited, dropped,
            wasted, granted, generated.

    Returns:
        Whether the drawn arrivals of some environment are used up.
    """
    batch, n = requests.shape
    block = arrivals.shape[1]
    available, rule, mixed = limits[0], limits[1], limits[2]
    erasures = luck.shape[3] > 0 and passing.shape[0] > 0
    width = observations.shape[2]
    own = np.empty(n)
    exhausted = False
    for b in range(batch):
        if active[b]:
            frame, position = clocks[b]
            if rule == ROTATING:
                _share_in_turn(requests[b], nodes[b], frame % n, available)
            elif rule == MAX_MIN:
                _share_in_rounds(requests[b], nodes[b], frame % n, available)
            for i in range(n):
                node = nodes[b, i]
                granted = node[GRANTED]
                generated = np.int64(arrivals[b, position, i])
                served = min(node[QUEUE] + generated, granted)
                if erasures:
                    served = _arrived(served, luck[b, position, i, 0], passing[i])
                node[GENERATED] = generated
                node[SERVED] = served
                dropped = _update_queue(node, stamps[b, i], frame, served)
                node[DROPPED] = dropped
                left = node[QUEUE]
                wasted = (requests[b, i] if rule == COLLIDED else granted) - served
                own[i] = (
                    prices[0] * served - prices[1] * left - prices[2] * dropped - prices[3] * wasted
                )
                values[1, b, i] = served
                values[2, b, i] = left
                values[3, b, i] = dropped
                values[4, b, i] = wasted
                values[5, b, i] = granted
                values[6, b, i] = generated
            for i in range(n):
                if mixed:
                    total = 0.0
                    for j in range(n):
                        total += mixing[i, j] * own[j]
                    values[0, b, i] = total
                else:
                    values[0, b, i] = own[i]
            clocks[b, 0] = frame + 1
            clocks[b, 1] = position + 1
            exhausted |= position + 1 == block
        for i in range(n):
            for k in range(width):
                observations[b, i, k] = nodes[b, i, k]
    return exhausted


@njit(nogil=True)
def best_slot(i: int, placed: Ints, conflicts: Flags, frequencies: int) -> tuple[int, int]:
    """The slot in which node `i` has most free frequencies, and the lowest of these.

    Returns:
        `(slot, frequency)`, the earliest slot among equals; (-1, -1) if there is none. A node
        transmits at most once per slot. Taking the emptiest slot fills a single cluster's frame to
        the last RB (McNaughton), and makes nodes out of reach of each other choose the same RBs.
    """
    n, slots = placed.shape
    best, most, lowest = -1, 0, -1
    for s in range(slots):
        if placed[i, s] >= 0:
            continue
        taken = 0
        for j in range(n):
            if conflicts[i, j] and placed[j, s] >= 0:
                taken |= 1 << placed[j, s]
        free, first = 0, -1
        for f in range(frequencies - 1, -1, -1):
            if not (taken >> f) & 1:
                free += 1
                first = f
        if free > most:
            best, most, lowest = s, free, first
    return best, lowest


@njit(nogil=True)
def place(
    requests: Ints,
    active: Flags,
    nodes: Ints,
    clocks: Ints,
    arrivals: NDArray[np.uint16],
    conflicts: Flags,
    frequencies: int,
    rule: int,
    luck: Reals,
    placed: Ints,
) -> None:
    """Puts requests on RBs one by one, for conflict graphs and for uncoordinated access.

    Every RB is used by an independent set of the conflict graph. With rule COLLIDED each node
    instead puts the packets it has on random RBs, at most one per slot, and packets that meet a
    conflicting node's are lost. The random choices exist for every slot, used or not.

    Args:
        requests: `(B, N)` int64.
        active: `(B,)` bool.
        nodes: `(B, N, FIELDS)` state; GRANTED is set.
        clocks: `(B, 2)`.
        arrivals: `(B, K, N)`.
        conflicts: `(N, N)` bool.
        frequencies: per slot.
        rule: ROTATING, MAX_MIN or COLLIDED.
        luck: `(B, K, N, 1 + 2 S)` uniforms; columns 1..S permute slots, the rest choose
            frequencies. Only read for COLLIDED.
        placed: `(B, N, S)` int64 output: frequency used in a slot, or -1. COLLIDED keeps the
            lost transmissions in it, as -2 - frequency.
    """
    batch, n, slots = placed.shape
    order = np.empty(slots, np.int64)
    for b in range(batch):
        if not active[b]:
            continue
        frame, position = clocks[b]
        grid = placed[b]
        grid[:] = -1
        nodes[b, :, GRANTED] = 0
        if rule == COLLIDED:
            for i in range(n):
                for s in range(slots):
                    order[s] = s
                waiting = nodes[b, i, QUEUE] + arrivals[b, position, i]
                for k in range(min(requests[b, i], waiting)):
                    pick = k + int(luck[b, position, i, 1 + k] * (slots - k))
                    s = order[pick]
                    order[pick] = order[k]
                    grid[i, s] = int(luck[b, position, i, 1 + slots + k] * frequencies)
            for i in range(n):
                for s in range(slots):
                    if grid[i, s] == -1:
                        continue
                    f = grid[i, s] if grid[i, s] >= 0 else -2 - grid[i, s]
                    for j in range(n):
                        if conflicts[i, j] and (grid[j, s] == f or grid[j, s] == -2 - f):
                            grid[i, s] = -2 - f
                    nodes[b, i, GRANTED] += grid[i, s] >= 0
        else:
            # Max-min: one RB per round and node; in turn: all of a node's RBs at once.
            rounds = slots if rule == MAX_MIN else 1
            for r in range(rounds):
                for k in range(n):
                    i = (frame + k) % n
                    want = min(requests[b, i], r + 1) if rule == MAX_MIN else requests[b, i]
                    while nodes[b, i, GRANTED] < want:
                        s, f = best_slot(i, grid, conflicts, frequencies)
                        if s < 0:
                            break
                        grid[i, s] = f
                        nodes[b, i, GRANTED] += 1
