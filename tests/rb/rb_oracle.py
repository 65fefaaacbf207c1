"""The RB model once more, written plainly from its definition: packets are list entries.

Shares nothing with the package but the configuration and the random streams.
"""

import math

import numpy as np
from scipy.stats import binom

from wirelessenvs.streams import episode_streams


def smallest_count(u, probability_mass):
    """Inverse transform: the least k with u < P(G <= k)."""
    count, total = 0, probability_mass(0)
    while u >= total:
        count += 1
        total += probability_mass(count)
        if probability_mass(count) == 0 and total > 0.5:
            break
    return count


def poisson_mass(rate):
    return lambda k: math.exp(-rate + (k * math.log(rate) if k else 0.0) - math.lgamma(k + 1))


def mass_of(config, rate):
    if rate == 0:
        return lambda k: 1.0 if k == 0 else 0.0
    if config.traffic == "bernoulli":
        p = rate / config.num_slots
        return lambda k: (
            math.comb(config.num_slots, k) * p**k * (1 - p) ** (config.num_slots - k)
            if k <= config.num_slots
            else 0.0
        )
    return poisson_mass(rate)


class Oracle:
    """One environment."""

    def __init__(self, config, seed, adjacency, episode=0):
        self.config = config
        self.adjacency = adjacency
        self.n = config.num_nodes
        streams = episode_streams(seed, episode)
        self.traffic, self.channel = streams.traffic, streams.channel
        self.frame = 0
        self.queues = [[] for _ in range(self.n)]
        self.waits = []
        self.dropped = 0
        self.generated = 0
        self.modes = [0] * self.n
        self.row = 0
        if config.traffic == "mmpp":
            self.modes = [int(u < 0.5) for u in self.traffic.random(self.n)]
        if config.traffic == "trace" and config.trace_random_start:
            self.row = int(self.traffic.integers(len(config.trace)))

    def draw_arrivals(self):
        config = self.config
        if config.traffic == "trace":
            return list(config.trace[(self.row + self.frame) % len(config.trace)])
        rates = np.broadcast_to(config.mean_rate, self.n).astype(float)
        if config.load is not None:
            rates = rates * config.load * config.num_slots * config.num_frequencies / rates.sum()
        arrivals = []
        for i, u in enumerate(self.traffic.random(self.n)):
            swing = config.modulation * (1 if self.modes[i] else -1)
            rate = rates[i] * (1 + swing) if config.traffic == "mmpp" else rates[i]
            arrivals.append(smallest_count(u, mass_of(config, rate)))
        if config.traffic == "mmpp":
            for i, u in enumerate(self.traffic.random(self.n)):
                if u < config.switch_probability:
                    self.modes[i] = 1 - self.modes[i]
        return arrivals

    def free_frequencies(self, node, slot, grid):
        if grid[node][slot] is not None:
            return []
        taken = {grid[other][slot] for other in range(self.n) if self.config.conflicts[node][other]}
        return [f for f in range(self.config.num_frequencies) if f not in taken]

    def give_one(self, node, grid):
        """Puts one RB of `node` into its emptiest slot; false if there is none."""
        free = [self.free_frequencies(node, s, grid) for s in range(self.config.num_slots)]
        best = max(range(len(free)), key=lambda s: (len(free[s]), -s))
        if not free[best]:
            return False
        grid[node][best] = min(free[best])
        return True

    def arbitrate(self, requests):
        config = self.config
        turn = [(self.frame + k) % self.n for k in range(self.n)]
        grid = [[None] * config.num_slots for _ in range(self.n)]
        granted = [0] * self.n
        left = config.num_slots * config.num_frequencies

        def give(node):
            nonlocal left
            if config.conflicts is not None:
                given = self.give_one(node, grid)
            else:
                given = left > 0
                left -= given
            granted[node] += given
            return given

        if config.arbitration == "rotating":
            for node in turn:
                while granted[node] < requests[node] and give(node):
                    pass
        else:
            for _ in range(config.num_slots):
                before = list(granted)
                for node in turn:
                    if before[node] < requests[node] and before[node] == granted[node]:
                        give(node)
        return granted

    def collide(self, requests, arrivals, draws):
        slots, frequencies = self.config.num_slots, self.config.num_frequencies
        used = []
        for i in range(self.n):
            order = list(range(slots))
            sent = {}
            for k in range(min(requests[i], len(self.queues[i]) + arrivals[i])):
                pick = k + int(draws[i][1 + k] * (slots - k))
                order[k], order[pick] = order[pick], order[k]
                sent[order[k]] = int(draws[i][1 + slots + k] * frequencies)
            used.append(sent)
        rivals = [
            [
                j
                for j in range(self.n)
                if j != i and (self.config.conflicts is None or self.config.conflicts[i][j])
            ]
            for i in range(self.n)
        ]
        return [
            sum(all(used[j].get(s) != f for j in rivals[i]) for s, f in used[i].items())
            for i in range(self.n)
        ]

    def step(self, requests):
        """Observations, rewards and metrics of one frame."""
        config = self.config
        requests = [int(r) for r in requests]
        arrivals = self.draw_arrivals()
        lossy = np.any(config.erasure_probability)
        colliding = config.arbitration == "collision"
        draws = None
        if colliding or lossy:
            width = 1 + 2 * config.num_slots if colliding else 1
            draws = self.channel.random((self.n, width))
        granted = self.collide(requests, arrivals, draws) if colliding else self.arbitrate(requests)
        rows, own = [], []
        for i in range(self.n):
            queue = self.queues[i] + [self.frame] * arrivals[i]
            sent = min(len(queue), granted[i])
            if lossy:
                loss = np.broadcast_to(config.erasure_probability, self.n)[i]
                served = int(binom.ppf(draws[i][0], sent, 1 - loss)) if sent else 0
                served = max(served, 0)
            else:
                served = sent
            self.waits += [self.frame - born for born in queue[:served]]
            queue = queue[served:]
            dropped = max(len(queue) - config.queue_capacity, 0)
            queue = queue[: len(queue) - dropped]
            self.queues[i] = queue
            self.dropped += dropped
            self.generated += arrivals[i]
            wasted = (requests[i] if colliding else granted[i]) - served
            rows.append((served, len(queue), dropped, wasted, granted[i], arrivals[i]))
            own.append(
                config.served_reward * served
                - config.delay_cost * len(queue)
                - config.drop_cost * dropped
                - config.waste_cost * wasted
            )
        self.frame += 1
        circle = {
            "own": lambda i: [i],
            "neighbors": lambda i: [i, *np.flatnonzero(self.adjacency[i])],
            "global": lambda i: range(self.n),
        }[config.reward]
        rewards = [float(np.mean([own[j] for j in circle(i)])) for i in range(self.n)]
        observations = [
            (
                arrivals[i],
                len(self.queues[i]),
                granted[i],
                self.frame - self.queues[i][0] if self.queues[i] else 0,
            )
            for i in range(self.n)
        ]
        if config.observation == "paper":
            observations = [row[:2] for row in observations]
        return np.array(observations), np.array(rewards), np.array(rows).T


def backlog_by_recursion(rate, servers, size=600):
    """E[Q] of Q' = max(Q + G - c, 0), G ~ Poisson(rate), by iterating the distribution."""
    mass = np.array([poisson_mass(rate)(k) for k in range(size)])
    law = np.zeros(size)
    law[0] = 1.0
    for _ in range(5000):
        total = np.convolve(law, mass)[: size + servers]
        after = np.append(total[: servers + 1].sum(), total[servers + 1 :])
        if np.abs(after[:size] - law).max() < 1e-15:
            break
        law = after[:size]
    return float(np.arange(size) @ law)


def backlog_by_spitzer(rate, servers, terms=4000):
    """The same by Spitzer's identity: sum over l of E[(Poisson(l rate) - l c)^+] / l."""
    from scipy.stats import poisson

    total = 0.0
    for count in range(1, terms + 1):
        mean, level = count * rate, count * servers
        excess = mean * poisson.sf(level - 1, mean) - level * poisson.sf(level, mean)
        total += excess / count
        if excess < 1e-16 and count > 10:
            break
    return total
