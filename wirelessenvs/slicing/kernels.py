"""The compiled core: one window of one slice of one cell, event by event.

A slice of a cell is a closed system once its users and its resource blocks are known, so every
(environment, cell, slice) is simulated on its own. Only slots in which something happens cost time:
arrivals wait in a calendar (one linked list of users per slot), and the scheduler looks only at
users with something to send.

Order within a slot: arrivals that closed the slot before, schedule, shadowing and rates, age of
every queued packet + 1 slot, serve first come first served, count. The 2,000 arrival phases of a
window are thus those in front of its slots, as in the published code.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirelessenvs.compiled import njit
from wirelessenvs.slicing.counter import GOLDEN, mix, standard_normal, stream_state
from wirelessenvs.slicing.traffic import TrafficTables

__all__ = ["COUNTS", "Radio", "Users", "first_gaps", "simulate_windows", "tabulate_windows"]

#: Meaning of the last axis of the kernels' integer output.
COUNTS = ("successes", "demand", "dropped", "carried_in", "busy_slots")

_MASK = np.uint64(0xFFFFFFFF)
_S32 = np.uint64(32)
_LN10 = math.log(10.0)


class Users(NamedTuple):
    """State of every user, `(B, U)` unless said otherwise.

    Args:
        gap: slots of the coming window before the user's next packet.
        packets: of each user in the coming window; of a trace only, else `(B, 1)`.
        log_snr: log10 of the mean SNR on one resource block.
        interference: power received from other cells over the noise on one resource block.
        members: user ids sorted by (cell, slice, id); users that no cell serves come last.
        offsets: `(B, K N + 1)` where in `members` each (cell, slice) begins.
        queue_length: packets in the queue at the window's start.
        queue_slot: `(B, U, Q)` slot of arrival, counted from the coming window's start.
        queue_word: `(B, U, Q)` the random word that holds the packet's size.
        queue_left: `(B, U, Q)` bits yet to be sent, or -1: all.
    """

    gap: NDArray[np.int32]
    packets: NDArray[np.int32]
    log_snr: NDArray[np.float64]
    interference: NDArray[np.float64]
    members: NDArray[np.int32]
    offsets: NDArray[np.int32]
    queue_length: NDArray[np.int32]
    queue_slot: NDArray[np.int32]
    queue_word: NDArray[np.uint32]
    queue_left: NDArray[np.float64]


class Radio(NamedTuple):
    """Constants of channel, scheduler and service-level agreements.

    Args:
        num_slots: slots per window.
        slot_s: length of a slot.
        rate_per_rb: bit/s on one resource block per unit of log10(1 + SINR).
        shadowing: standard deviation of log10 of the shadowing.
        log_rbs: `(R + 1,)` log10 of the number of resource blocks.
        sla_rate: `(K,)` rate that a successful packet reaches.
        sla_slots: `(K,)` greatest age in slots of a successful packet.
        max_bits: `(K,)` greatest packet size.
        interference: whether `Users.interference` is to be added to the noise.
        carry_over: whether queues survive the window.
        traced: whether `Users.packets` says how many packets arrive, instead of gaps.
    """

    num_slots: int
    slot_s: float
    rate_per_rb: float
    shadowing: float
    log_rbs: NDArray[np.float64]
    sla_rate: NDArray[np.float64]
    sla_slots: NDArray[np.int64]
    max_bits: NDArray[np.float64]
    interference: bool
    carry_over: bool
    traced: bool


@njit(nogil=True, inline="always")
def _gap_slots(s, word, tables):  # type: ignore[no-untyped-def]
    """Slots from a packet of slice `s` to the next one, from a word of 32 bits."""
    mean = tables.exponential_slots[s]
    if mean > 0.0:
        u = (np.float64(word) + 0.5) * 2.0**-32
        return math.ceil(-mean * math.log(u))
    number = np.int64(word)
    below = int(tables.guide[s, number >> 23])
    while tables.thresholds[s, below] <= number:  # no view of the row: it would be counted
        below += 1
    return below + 1


@njit(nogil=True, error_model="numpy")
def _next_slot(slot, to_come, num_slots, word):  # type: ignore[no-untyped-def]
    """First slot, from `slot` on, of `to_come` packets on as many of the slots that are left.

    Every set of slots is as likely as another: each slot is taken with the probability of packets
    over slots that are left, here by one number for all slots that are passed over.
    """
    u = (np.float64(word) + 0.5) * 2.0**-32
    passed = 1.0
    while True:
        left = num_slots - slot
        passed *= (left - to_come) / left
        if u >= passed:
            return slot
        slot += 1


@njit(nogil=True, error_model="numpy")
def _packet_bits(s, word, tables):  # type: ignore[no-untyped-def]
    """Size of a packet of slice `s` from a word of 32 bits."""
    choices = tables.num_sizes[s]
    if choices > 0:
        return tables.sizes[s, (np.int64(word) * choices) >> 32]
    shape, scale, cap = tables.lomax[s, 0], tables.lomax[s, 1], tables.lomax[s, 2]
    u = (np.float64(word) + 0.5) * 2.0**-32
    if shape == 0.0:  # uniform between the two others
        return scale + u * (cap - scale)
    return min(scale * ((1.0 - u) ** (-1.0 / shape) - 1.0), cap)


@njit(nogil=True, error_model="numpy")
def _simulate_slice(  # type: ignore[no-untyped-def]
    users, env, cell, s, num_rbs, keys, radio, tables, work, commit, counts
):  # fmt: skip
    """One window of one slice with `num_rbs` resource blocks; returns the sum of rates.

    `counts` receives `COUNTS`. With `commit` the users' gaps and queues move on; without, nothing
    outside the workspace changes.
    """
    head, link, state, channel, snr, length, slot, word, left, active, share, rest = work[:12]
    come = work[12]
    num_slots = radio.num_slots
    capacity = users.queue_slot.shape[2]
    group = radio.sla_rate.size * cell + s
    members = users.members[env, users.offsets[env, group] : users.offsets[env, group + 1]]
    size = members.size
    sla_rate, sla_slots = radio.sla_rate[s], radio.sla_slots[s]
    max_bits = radio.max_bits[s]
    rate_per_rb, sigma = radio.rate_per_rb, radio.shadowing
    log_rbs = radio.log_rbs
    successes = demand = dropped = carried = busy = 0
    rate_sum = 0.0
    num_active = 0
    pointer = 0

    head[:num_slots] = -1
    for u in range(size):
        user = members[u]
        state[u] = stream_state(keys[0], user)
        channel[u] = stream_state(keys[1], user)
        snr[u] = users.log_snr[env, user]
        share[u + 1] = num_rbs // (u + 1)
        rest[u + 1] = num_rbs - share[u + 1] * (u + 1)
        length[u] = 0
        if radio.carry_over:
            queued = users.queue_length[env, user]
            length[u] = queued
            carried += queued
            for j in range(queued):
                slot[u * capacity + j] = users.queue_slot[env, user, j]
                word[u * capacity + j] = users.queue_word[env, user, j]
                left[u * capacity + j] = users.queue_left[env, user, j]
            if queued > 0:
                active[num_active] = u
                num_active += 1
        if radio.traced:
            due = num_slots
            come[u] = 0
            if users.packets[env, user] > 0:
                due = _next_slot(0, users.packets[env, user], num_slots, mix(state[u]) >> _S32)
                state[u] += GOLDEN
        else:
            due = users.gap[env, user]
        if due < num_slots:
            link[u] = head[due]
            head[due] = u
        elif commit:
            users.gap[env, user] = due - num_slots

    for t in range(num_slots):
        u = head[t]
        while u >= 0:
            following = link[u]
            draw = mix(state[u])
            state[u] += GOLDEN
            demand += 1
            queued = length[u]
            if queued < capacity:
                place = u * capacity + queued
                slot[place] = t
                word[place] = np.uint32(draw & _MASK)
                left[place] = -1.0
                length[u] = queued + 1
                if queued == 0:  # keep the active users sorted: leftovers go round by id
                    i = num_active
                    while i > 0 and active[i - 1] > u:
                        active[i] = active[i - 1]
                        i -= 1
                    active[i] = u
                    num_active += 1
            else:
                dropped += 1
            if radio.traced:
                come[u] += 1
                packets = users.packets[env, members[u]]
                due = num_slots
                if come[u] < packets:
                    due = _next_slot(t + 1, packets - come[u], num_slots, draw >> _S32)
            else:
                due = t + _gap_slots(s, draw >> _S32, tables)
            if due < num_slots:
                link[u] = head[due]
                head[due] = u
            elif commit:
                users.gap[env, members[u]] = due - num_slots
            u = following
        if num_active == 0 or num_rbs == 0:
            continue

        busy += 1
        base, extra = share[num_active], rest[num_active]
        first = 0
        if extra > 0:  # one more for the users from the pointer on, in turn
            while first < num_active and active[first] < pointer:
                first += 1
            if first == num_active:
                first = 0
            last = first + extra - 1
            if last >= num_active:
                last -= num_active
            pointer = active[last] + 1
        served = num_active if base > 0 else extra
        emptied = 0
        for k in range(served):  # from the pointer on: the first `extra` hold one more
            i = first + k
            if i >= num_active:
                i -= num_active
            u = active[i]
            rbs = base + 1 if k < extra else base
            z = standard_normal(mix(channel[u] + np.uint64(t) * GOLDEN))
            if radio.interference:
                noise = math.log10(rbs + users.interference[env, members[u]])
            else:
                noise = log_rbs[rbs]
            log_sinr = snr[u] - noise - sigma * z
            # Above 75 dB log10(1 + SINR) is log10(SINR) to 2e-9 of its value.
            if log_sinr < 7.5:
                log_sinr = math.log10(1.0 + math.exp(_LN10 * log_sinr))
            rate = rbs * rate_per_rb * log_sinr
            rate_sum += rate
            budget = rate * radio.slot_s
            queued = length[u]
            at = u * capacity
            done = 0
            everything = budget >= queued * max_bits  # the sizes need not be looked at
            while done < queued:
                if not everything:
                    bits = left[at + done]
                    if bits < 0.0:
                        bits = _packet_bits(s, word[at + done], tables)
                    if bits > budget:
                        left[at + done] = bits - budget
                        break
                    budget -= bits
                age = t + 1 - slot[at + done]
                if age == 1:
                    if rate >= sla_rate and sla_slots >= 1:
                        successes += 1
                elif age <= sla_slots:
                    needed = sla_rate * (age * radio.slot_s)
                    if needed <= max_bits and _packet_bits(s, word[at + done], tables) >= needed:
                        successes += 1
                done += 1
            if done == queued:
                length[u] = 0
                emptied += 1
            elif done > 0:
                length[u] = queued - done
                for j in range(queued - done):
                    slot[at + j] = slot[at + done + j]
                    word[at + j] = word[at + done + j]
                    left[at + j] = left[at + done + j]
        if emptied == num_active:
            num_active = 0
        elif emptied > 0:
            kept = 0
            for i in range(num_active):
                if length[active[i]] > 0:
                    active[kept] = active[i]
                    kept += 1
            num_active = kept

    if commit and radio.carry_over:
        for u in range(size):
            user = members[u]
            users.queue_length[env, user] = length[u]
            for j in range(length[u]):
                users.queue_slot[env, user, j] = slot[u * capacity + j] - num_slots
                users.queue_word[env, user, j] = word[u * capacity + j]
                users.queue_left[env, user, j] = left[u * capacity + j]
    counts[0] = successes
    counts[1] = demand
    counts[2] = dropped
    counts[3] = carried
    counts[4] = busy
    return rate_sum


@njit(nogil=True)
def _workspace(num_users, capacity, num_slots):  # type: ignore[no-untyped-def]
    """Scratch arrays of `_simulate_slice`, enough for all users in one slice."""
    return (
        np.empty(num_slots, np.int32),  # head: first user due in a slot
        np.empty(num_users, np.int32),  # link: next user due in the same slot
        np.empty(num_users, np.uint64),  # state: of the traffic stream
        np.empty(num_users, np.uint64),  # channel: first state of the shadowing stream
        np.empty(num_users, np.float64),  # snr
        np.empty(num_users, np.int32),  # length of the queue
        np.empty(num_users * capacity, np.int32),  # slot of arrival
        np.empty(num_users * capacity, np.uint32),  # word
        np.empty(num_users * capacity, np.float64),  # left
        np.empty(num_users + 1, np.int32),  # active users, ascending
        np.empty(num_users + 1, np.int32),  # share: blocks per user, by number of active users
        np.empty(num_users + 1, np.int32),  # rest: blocks left over
        np.empty(num_users, np.int32),  # come: packets of the trace so far
    )


@njit(nogil=True, inline="always")
def _window_keys(keys, window, env):  # type: ignore[no-untyped-def]
    """Keys of the traffic and the shadowing of the coming window."""
    index = window[env] + 1
    return stream_state(keys[env, 0], index), stream_state(keys[env, 1], index)


@njit(nogil=True)
def simulate_windows(  # type: ignore[no-untyped-def]
    jobs, rbs, users, keys, window, radio, tables, counts, rates
):  # fmt: skip
    """Simulates the coming window of some cells and moves their users' traffic on.

    Args:
        jobs: `(J,)` cells to simulate, as environment * N + cell.
        rbs: `(B, N, K)` resource blocks per slice.
        users: state, changed in place.
        keys: `(B, 2)` keys of traffic and shadowing.
        window: `(B,)` index of the coming window.
        radio: constants.
        tables: of the traffic.
        counts: `(B, N, K, 5)` receives `COUNTS`.
        rates: `(B, N, K)` receives the sum over slots of the scheduled users' rates.
    """
    num_cells = rbs.shape[1]
    work = _workspace(users.gap.shape[1], users.queue_slot.shape[2], radio.num_slots)
    for job in jobs:
        env, cell = job // num_cells, job % num_cells
        key = _window_keys(keys, window, env)
        for s in range(rbs.shape[2]):
            rates[env, cell, s] = _simulate_slice(
                users, env, cell, s, rbs[env, cell, s], key, radio, tables, work, True,
                counts[env, cell, s],
            )  # fmt: skip


@njit(nogil=True)
def tabulate_windows(  # type: ignore[no-untyped-def]
    jobs, choices, num_cells, users, keys, window, radio, tables, counts, rates
):  # fmt: skip
    """The coming window of some cells for every number of resource blocks; changes no state.

    Args:
        jobs: `(J,)` as in `simulate_windows`.
        choices: `(R,)` numbers of resource blocks.
        num_cells: N.
        users: state.
        keys: `(B, 2)`.
        window: `(B,)`.
        radio: constants.
        tables: of the traffic.
        counts: `(J, K, R, 5)` receives `COUNTS`.
        rates: `(J, K, R)` receives the sums of rates.
    """
    work = _workspace(users.gap.shape[1], users.queue_slot.shape[2], radio.num_slots)
    for index in range(jobs.size):
        env, cell = jobs[index] // num_cells, jobs[index] % num_cells
        key = _window_keys(keys, window, env)
        for s in range(counts.shape[1]):
            for r in range(choices.size):
                rates[index, s, r] = _simulate_slice(
                    users, env, cell, s, choices[r], key, radio, tables, work, False,
                    counts[index, s, r],
                )  # fmt: skip


@njit(nogil=True)
def first_gaps(
    key: np.uint64, slices: NDArray[np.int8], tables: TrafficTables
) -> NDArray[np.int32]:
    """`(U,)` slots to every user's first packet: a whole gap, as in the published code."""
    gaps = np.empty(slices.size, np.int32)
    start = stream_state(key, 0)
    for user in range(slices.size):
        draw = mix(stream_state(start, user))
        gaps[user] = _gap_slots(slices[user], draw >> _S32, tables)
    return gaps
