"""Slow reference of coordinated beamforming: one network, one link at a time, path by path.

Written from the published description alone and sharing no code with the package. It keeps the
multipath form h = sum_l g_l a(theta_l), sums interferers term by term, sorts whole lists.
"""

import cmath
import math


def codeword(num_antennas, num_beams, q):
    """The q-th codeword: phases are multiples of 2 pi / 16."""
    turned = (q + num_beams / 2) % num_beams
    return [
        cmath.exp(2j * math.pi / 16 * math.floor(n * turned / (num_beams / 16) + 1e-9))
        / math.sqrt(num_antennas)
        for n in range(num_antennas)
    ]


def steering(num_antennas, angle):
    """Response of a half-wavelength array in a direction."""
    return [
        cmath.exp(1j * math.pi * n * math.cos(angle)) / math.sqrt(num_antennas)
        for n in range(num_antennas)
    ]


def strongest(values, skip, size):
    """Indices of the largest values but `skip`; ties go to the lower index."""
    others = [j for j in range(len(values)) if j != skip]
    return sorted(others, key=lambda j: -values[j])[:size]


class CBFOracle:
    """One network. Path gains, angles and draws are given; nothing random happens here."""

    def __init__(
        self,
        path_gain,
        angles,
        first_gains,
        num_antennas=3,
        num_beams=8,
        num_interferers=5,
        max_power_mw=10**3.8,
        noise_mw=10**-11.4,
        rho=0.64,
        innovation=None,
    ):
        self.cells = len(path_gain)
        self.path_gain, self.angles = path_gain, angles
        self.gains = [[list(g) for g in row] for row in first_gains]
        self.antennas, self.size = num_antennas, num_interferers
        self.codebook = [codeword(num_antennas, num_beams, q) for q in range(num_beams)]
        self.max_power_mw, self.noise_mw, self.rho = max_power_mw, noise_mw, rho
        self.innovation = math.sqrt(1 - rho**2) if innovation is None else innovation
        self.channel = self._channel()
        self.slots = []  # what was measured at the end of each slot (X1)
        self.half = []  # own gain, interference and sweep after each fading (X0)

    def _channel(self):
        channel = []
        for i in range(self.cells):
            row = []
            for k in range(self.cells):
                h = [0j] * self.antennas
                for gain, angle in zip(self.gains[i][k], self.angles[i][k], strict=True):
                    a = steering(self.antennas, angle)
                    h = [h[n] + gain * a[n] for n in range(self.antennas)]
                row.append([math.sqrt(self.path_gain[i][k]) * x for x in h])
            channel.append(row)
        return channel

    def nearest_code(self, beam):
        """Best-aligned codeword, the lowest of equal ones."""
        match = [abs(sum(c.conjugate() * x for c, x in zip(w, beam, strict=True))) ** 2
                 for w in self.codebook]  # fmt: skip
        return next(q for q, value in enumerate(match) if value >= max(match) - 1e-12)

    def set_actions(self, actions, num_levels=5):
        """Codebook actions: beam times the number of levels plus power level."""
        self.code = [a // num_levels for a in actions]
        self.unit = [self.codebook[q] for q in self.code]
        self.power = [a % num_levels * self.max_power_mw / (num_levels - 1) for a in actions]

    def set_beams(self, reals):
        """Continuous actions: real parts, then imaginary parts, in sqrt(mW)."""
        self.code, self.unit, self.power = [], [], []
        for row in reals:
            w = [complex(row[n], row[self.antennas + n]) for n in range(self.antennas)]
            norm = math.sqrt(sum(abs(x) ** 2 for x in w))
            unit = [x / norm for x in w] if norm > 0 else self.codebook[0]
            self.unit.append(unit)
            self.code.append(self.nearest_code(unit) if norm > 0 else 0)
            self.power.append(min(norm**2, self.max_power_mw))

    def _measure(self):
        cells = range(self.cells)
        gain = [
            [abs(sum(h * c for h, c in zip(self.channel[i][k], self.unit[i], strict=True))) ** 2
             for k in cells] for i in cells
        ]  # fmt: skip
        received = [[self.power[i] * gain[i][k] for k in cells] for i in cells]
        disturbance = [self.noise_mw + sum(received[j][k] for j in cells if j != k) for k in cells]
        return gain, received, disturbance

    def measure_first_half(self):
        """X0: the old beams on the new channel."""
        gain, _, disturbance = self._measure()
        sweep = [
            [abs(sum(h * c for h, c in zip(self.channel[i][i], w, strict=True))) ** 2
             for w in self.codebook] for i in range(self.cells)
        ]  # fmt: skip
        self.half.append(([gain[i][i] for i in range(self.cells)], disturbance, sweep))

    def finish_slot(self):
        """X1: rates and rewards of the beams on air."""
        gain, received, disturbance = self._measure()
        cells = range(self.cells)
        rate = [math.log2(1 + received[k][k] / disturbance[k]) for k in cells]
        interferers = [strongest([received[j][i] for j in cells], i, self.size) for i in cells]
        interfered = [strongest(received[i], i, self.size) for i in cells]
        rewards = []
        for i in cells:
            harm = 0.0
            for k in interfered[i]:
                without = self.noise_mw + sum(received[j][k] for j in cells if j not in (i, k))
                harm += math.log2(1 + received[k][k] / without) - rate[k]
            rewards.append(rate[i] - harm)
        self.slots.append(
            {
                "gain": gain,
                "received": received,
                "disturbance": disturbance,
                "rate": rate,
                "interferers": interferers,
                "interfered": interfered,
                "power": list(self.power),
                "code": list(self.code),
            }
        )
        return rate, rewards

    def fade(self, innovations):
        """Moves every path gain one slot on; `innovations` are CN(0, 1) per path."""
        for i in range(self.cells):
            for k in range(self.cells):
                self.gains[i][k] = [
                    self.rho * g + self.innovation * e
                    for g, e in zip(self.gains[i][k], innovations[i][k], strict=True)
                ]
        self.channel = self._channel()

    def observe(self):
        """Official observations with divisors, then the sweep gains, one row per agent."""
        last, before = self.slots[-1], self.slots[-2]
        (own, noise, sweep), (old_own, old_noise, _) = self.half[-1], self.half[-2]
        rows = []
        for i in range(self.cells):
            row = [last["power"][i] / self.max_power_mw, last["code"][i], last["rate"][i] / 5]
            row += [own[i] / 1e-9, old_own[i] / 1e-9, noise[i] / 1e-7, old_noise[i] / 1e-7]
            for slot in (last, before):
                for j in slot["interferers"][i]:
                    row += [j / (self.cells - 1), slot["received"][j][i] / 1e-9]
                    row += [slot["code"][j], slot["rate"][j] / 5]
            for k in last["interfered"][i]:
                ratio = last["received"][i][k] / last["disturbance"][k]
                row += [last["gain"][i][k] / 1e-9, last["rate"][k] / 5, ratio]
            rows.append(row + [gain / 1e-9 for gain in sweep[i]])
        return rows
