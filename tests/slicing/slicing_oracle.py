"""A slow, slot-synchronous reference of the slicing task in plain Python, written from the model.

It shares no code with the package but the configuration, the grid of cells and the named streams of
an episode. Every user is looked at in every slot; every queue is a list; every random number is
computed from its closed form, with Python integers.
"""

import math

import numpy as np
from scipy.special import ndtri

from wirelessenvs.streams import episode_streams
from wirelessenvs.topology import hexagonal_grid, rings_for_cells

WORD = 2**64
GOLDEN = 0x9E3779B97F4A7C15


def splitmix(word):
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % WORD
    return word ^ (word >> 31)


def stream(key, index):
    return splitmix((key + (index + 1) * GOLDEN) % WORD)


def lomax(u, shape):
    return (1.0 - u) ** (-1.0 / shape) - 1.0


def draw(law, word):
    """A value of a law in the words of `slices`, from 32 bits."""
    kind, *numbers = law
    u = (word + 0.5) / 2**32
    if kind == "constant":
        return numbers[0]
    if kind == "uniform":
        return numbers[0] + u * (numbers[1] - numbers[0])
    if kind == "lomax":
        return min(numbers[1] * lomax(u, numbers[0]), numbers[2])
    if kind == "exponential":
        return -numbers[0] * math.log(u)
    return numbers[word * len(numbers) // 2**32]


class User:
    def __init__(self, number, service, position, step):
        self.number, self.service = number, service
        self.position, self.step = list(position), list(step)
        self.queue = []
        self.cell = -1


class SlicingOracle:
    """One environment; `reset(seed)`, then `step(units)` with `(N, K)` units."""

    def __init__(self, config):
        self.config = config
        self.mix, self.speeds = config.user_mix, config.speeds_mps
        self.rates, self.latencies = config.sla_rate_bps, config.sla_latency_s
        if config.slices is not None:
            self.mix = [one.share for one in config.slices]
            self.speeds = [one.speed_mps for one in config.slices]
            self.rates = [one.rate_bps or 0.0 for one in config.slices]
            self.latencies = [one.latency_s or math.inf for one in config.slices]
        self.slices = range(len(self.mix))
        self.sites = hexagonal_grid(
            rings_for_cells(config.num_cells), math.sqrt(3) * config.cell_radius_m
        )
        if config.box_half_m is None:
            reach = max(math.hypot(*site) for site in self.sites) + config.cell_radius_m
            self.half = (reach, reach)
        else:
            self.half = config.box_half_m

    # ------------------------------------------------------------ random numbers
    def gap(self, service, word):
        c, u = self.config, (word + 0.5) / 2**32
        if c.slices is not None:
            gap = draw(c.slices[service].gap_s, word)
        elif service == 0:
            gap = u * c.volte_gap_s
        elif service == 1:
            gap = min(c.video_gap_s[0] * lomax(u, c.lomax_shape), c.video_gap_s[1])
        else:
            gap = -c.urllc_gap_s * math.log(u)
        return math.ceil(gap / c.slot_s - 1e-9)

    def bits(self, service, word):
        c = self.config
        if c.slices is not None:
            return draw(c.slices[service].bits, word)
        if service == 0:
            return c.volte_bits
        if service == 1:
            u = (word + 0.5) / 2**32
            return min(c.video_bits[0] * lomax(u, c.lomax_shape), c.video_bits[1])
        return c.urllc_bits[word * len(c.urllc_bits) // 2**32]

    # ------------------------------------------------------------------- episode
    def reset(self, seed, episode=0):
        c = self.config
        streams = episode_streams(seed, episode)
        draws = streams.layout.random(c.num_users)
        places = streams.layout.uniform(-1, 1, (c.num_users, 2)) * np.array(self.half)
        angles = streams.mobility.uniform(0, 2 * np.pi, c.num_users)
        self.traffic_key = int(streams.traffic.integers(2**64, dtype=np.uint64))
        self.channel_key = int(streams.channel.integers(2**64, dtype=np.uint64))
        bounds = np.cumsum(np.array(self.mix) / sum(self.mix))
        self.users = []
        for number in range(c.num_users):
            service = min(sum(draws[number] >= bound for bound in bounds), self.slices[-1])
            metres = self.speeds[service] * c.slots_per_window * c.slot_s
            step = (metres * np.cos(angles[number]), metres * np.sin(angles[number]))
            user = User(number, service, places[number], step)
            word = splitmix(stream(stream(self.traffic_key, 0), number))
            user.due = self.gap(service, word >> 32)
            self.users.append(user)
        self.load = [0.0] * c.num_cells
        self.window = 0
        self.demands = []
        self.serve()
        part, rest = divmod(c.num_units, len(self.slices))
        equal = [part + (s >= len(self.slices) - rest) for s in self.slices]
        for _ in range(c.history):
            self.step([equal] * c.num_cells)

    def serve(self):
        for user in self.users:
            far = [math.dist(user.position, site) for site in self.sites]
            nearest = far.index(min(far))
            reach = math.inf if self.config.coverage_m is None else self.config.coverage_m
            user.cell = nearest if far[nearest] <= reach else -1
            user.distances = far

    def walk(self):
        for user in self.users:
            for axis in range(2):
                x = user.position[axis] + user.step[axis]
                while abs(x) > self.half[axis]:
                    x = math.copysign(2 * self.half[axis], x) - x
                    user.step[axis] = -user.step[axis]
                user.position[axis] = x

    def gain(self, distance):
        loss_db = 145.4 + 37.5 * math.log10(max(distance, 0.01) / 1000)
        return 10 ** (-loss_db / 10)

    def rate(self, user, slot, band_hz):
        c = self.config
        power_mw = 10 ** ((c.tx_power_dbm + c.rx_gain_db) / 10)
        word = splitmix((stream(stream(self.channel_key, self.window + 1), user.number)
                         + slot * GOLDEN) % WORD)  # fmt: skip
        shadowing_db = c.shadowing_db * ndtri(((word >> 12) + 0.5) / 2**52)
        signal = power_mw * self.gain(user.distances[user.cell]) * 10 ** (-shadowing_db / 10)
        noise = 10 ** (c.noise_dbm_hz / 10) * band_hz
        if c.interference:
            for cell, distance in enumerate(user.distances):
                if cell != user.cell:
                    noise += self.load[cell] * power_mw * self.gain(distance)
        logarithm = math.log10 if c.log_base == "log10" else math.log2
        return band_hz * logarithm(1 + signal / noise) * c.mimo_gain

    # ---------------------------------------------------------------------- step
    def step(self, units):
        c = self.config
        n = c.num_cells
        blocks = [[int(u * c.unit_hz / c.rb_hz + 1e-9) for u in row] for row in units]
        shape = (n, len(self.slices))
        self.success = np.zeros(shape)
        self.demand = np.zeros(shape)
        self.dropped = np.zeros(shape)
        self.carried = np.zeros(shape)
        self.rate_sum = np.zeros(shape)
        used = np.zeros(n)
        pointer = [[0] * len(self.slices) for _ in range(n)]
        arrivals = [0] * c.num_users
        for user in self.users:
            if not c.carry_over:
                user.queue = []
            elif user.cell >= 0:
                self.carried[user.cell, user.service] += len(user.queue)
        for slot in range(c.slots_per_window):
            for user in self.users:
                if user.cell >= 0 and user.due == slot:
                    self.arrive(user, slot, arrivals)
            for cell in range(n):
                for service in self.slices:
                    waiting = [u for u in self.users
                               if u.cell == cell and u.service == service and u.queue]  # fmt: skip
                    if waiting and blocks[cell][service]:
                        used[cell] += blocks[cell][service]
                        self.serve_slot(slot, waiting, blocks[cell][service], pointer[cell])
                    else:
                        for user in waiting:
                            self.age(user)
        for user in self.users:
            if user.cell >= 0:  # the traffic of a user out of coverage pauses
                user.due -= c.slots_per_window
        self.load = list(used / (int(c.bandwidth_hz / c.rb_hz + 1e-9) * c.slots_per_window))
        offered = self.demand + self.carried
        self.ssr = np.where(offered > 0, self.success / np.maximum(offered, 1), 1.0)
        self.se = self.rate_sum.sum(1) / (c.bandwidth_hz * c.slots_per_window)
        self.units = np.array(units)
        self.demands.insert(0, self.demand)
        self.window += 1
        before = [user.cell for user in self.users]
        self.walk()
        self.serve()
        self.handovers = np.zeros(n)
        for cell, user in zip(before, self.users, strict=True):
            if cell >= 0 and user.cell != cell:
                self.handovers[cell] += 1

    def arrive(self, user, slot, arrivals):
        state = stream(stream(self.traffic_key, self.window + 1), user.number)
        word = splitmix((state + arrivals[user.number] * GOLDEN) % WORD)
        arrivals[user.number] += 1
        self.demand[user.cell, user.service] += 1
        if len(user.queue) < self.config.queue_packets:
            size = self.bits(user.service, word % 2**32)
            user.queue.append({"size": size, "left": size, "age": 0})
        else:
            self.dropped[user.cell, user.service] += 1
        user.due = slot + self.gap(user.service, word >> 32)

    def age(self, user):
        for packet in user.queue:
            packet["age"] += 1

    def leftovers(self, waiting, extra, pointer):
        ids = [user.number for user in waiting]
        turn = [i for i in ids if i >= pointer] + [i for i in ids if i < pointer]
        return turn[:extra]

    def serve_slot(self, slot, waiting, blocks, pointer):
        c = self.config
        service = waiting[0].service
        share, extra = divmod(blocks, len(waiting))
        held = {user.number: share for user in waiting}
        for number in self.leftovers(waiting, extra, pointer[service]):
            held[number] += 1
            pointer[service] = number + 1
        for user in waiting:
            self.age(user)
            if not held[user.number]:
                continue
            rate = self.rate(user, slot, held[user.number] * c.rb_hz)
            self.rate_sum[user.cell, service] += rate
            budget = rate * c.slot_s
            while user.queue and user.queue[0]["left"] <= budget:
                packet = user.queue.pop(0)
                budget -= packet["left"]
                latency = packet["age"] * c.slot_s
                reached = rate if packet["age"] == 1 else packet["size"] / latency
                in_time = latency < self.latencies[service] - 1e-9
                if in_time and reached >= self.rates[service]:
                    self.success[user.cell, service] += 1
            if user.queue:
                user.queue[0]["left"] -= budget

    def observation(self):
        c = self.config
        demands = np.concatenate(self.demands[: c.history], axis=1)
        if c.observation == "paper":
            return demands
        return np.concatenate([demands, self.units * c.unit_hz / 1e6, self.ssr], axis=1)
