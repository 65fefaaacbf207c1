"""A linear-quadratic problem, whose optimum and conditional expectations are known exactly.

A point with position and velocity is pushed: s' = A s + B a + w, w ~ N(0, W), and every step costs
s^T Q s + r a^2. What a policy a = -K s + noise earns, the best K, and what such data says about the
next state and the action given the present state and the return, are closed forms (R. E. Kalman,
Contributions to the theory of optimal control, 1960; conditioning of Gaussians).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

__all__ = ["POINT_MASS", "GaussianData", "PointMass"]

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class PointMass:
    """The problem.

    Args:
        interval: between two decisions.
        push: velocity that an action of 1 adds per unit of time.
        velocity_noise: deviation of what disturbs the velocity in a step.
        position_cost: Q[0, 0].
        velocity_cost: Q[1, 1].
        effort_cost: r.
        start: deviation of position and velocity at the start.
    """

    interval: float = 0.2
    push: float = 1.0
    velocity_noise: float = 0.02
    position_cost: float = 1.0
    velocity_cost: float = 0.1
    effort_cost: float = 0.1
    start: float = 1.0

    @property
    def a(self) -> Reals:
        """A `(2, 2)`."""
        return np.array([[1.0, self.interval], [0.0, 1.0]])

    @property
    def b(self) -> Reals:
        """B `(2, 1)`."""
        return np.array([[0.0], [self.interval * self.push]])

    @property
    def w(self) -> Reals:
        """W `(2, 2)`."""
        return np.diag([0.0, self.velocity_noise**2])

    @property
    def q(self) -> Reals:
        """Q `(2, 2)`."""
        return np.diag([self.position_cost, self.velocity_cost])

    def best_gain(self) -> Reals:
        """K `(1, 2)` of the optimal policy a = -K s, from the Riccati equation."""
        cost = scipy.linalg.solve_discrete_are(
            self.a, self.b, self.q, np.array([[self.effort_cost]])
        )
        gain: Reals = np.linalg.solve(
            self.effort_cost + self.b.T @ cost @ self.b, self.b.T @ cost @ self.a
        )
        return gain

    def exact_reward(self, gain: Reals, noise: float, steps: int) -> float:
        """Expected mean reward per step of a = -K s + noise * N(0, 1), from the start.

        Args:
            gain: K `(1, 2)`.
            noise: deviation of the action.
            steps: of an episode.
        """
        closed = self.a - self.b @ gain
        covariance, total = self.start**2 * np.eye(2), 0.0
        for _ in range(steps):
            cost = self.q + self.effort_cost * gain.T @ gain
            total -= float(np.trace(cost @ covariance)) + self.effort_cost * noise**2
            covariance = closed @ covariance @ closed.T + noise**2 * self.b @ self.b.T + self.w
        return total / steps

    def starts(self, count: int, rng: np.random.Generator) -> Reals:
        """States `(count, 2)` at the start."""
        return self.start * rng.normal(size=(count, 2))

    def step(self, states: Reals, actions: Reals, rng: np.random.Generator) -> tuple[Reals, Reals]:
        """Next states `(B, 2)` and rewards `(B,)` of states `(B, 2)` and actions `(B, 1)`."""
        rewards = -np.einsum("bi,ij,bj->b", states, self.q, states)
        rewards -= self.effort_cost * actions[:, 0] ** 2
        noise = np.zeros_like(states)
        noise[:, 1] = self.velocity_noise * rng.normal(size=len(states))
        return states @ self.a.T + actions @ self.b.T + noise, rewards


POINT_MASS: Final = PointMass()


@dataclass(frozen=True)
class GaussianData:
    """Data of one policy a = -K s + sigma N(0, 1), with a reward that is linear: all is Gaussian.

    The reward of a step is c s + d a; its return over F steps is discounted.

    Args:
        problem: dynamics; its costs are not used.
        gain: K `(1, 2)`.
        sigma: deviation of the action.
        state_reward: c `(2,)`.
        action_reward: d.
        gamma: discount.
        future: F.
    """

    problem: PointMass
    gain: Reals
    sigma: float
    state_reward: Reals
    action_reward: float
    gamma: float
    future: int

    @property
    def closed(self) -> Reals:
        """A - B K `(2, 2)`."""
        return self.problem.a - self.problem.b @ self.gain

    def stationary(self) -> Reals:
        """Covariance `(2, 2)` of the states in the long run."""
        drive = self.sigma**2 * self.problem.b @ self.problem.b.T + self.problem.w
        covariance: Reals = scipy.linalg.solve_discrete_lyapunov(self.closed, drive)
        return covariance

    def _effects(self) -> list[Reals]:
        """`(2,)` each: what the state at time k = 0..F adds to the return from k on."""
        direct = self.state_reward - self.action_reward * self.gain[0]
        effects = [np.zeros(2)]
        for k in reversed(range(self.future)):
            effects.insert(0, self.gamma**k * direct + effects[0] @ self.closed)
        return effects

    def return_moments(self, states: Reals) -> tuple[Reals, float]:
        """Mean `(B,)` and deviation of the return, given states `(B, 2)`."""
        effects, variance = self._effects(), 0.0
        for k in range(self.future):
            after = effects[k + 1]
            of_action = self.gamma**k * self.action_reward + float(after @ self.problem.b[:, 0])
            variance += (self.sigma * of_action) ** 2 + float(after @ self.problem.w @ after)
        return states @ effects[0], variance**0.5

    def next_state(self, states: Reals, returns: Reals | None = None) -> Reals:
        """E[s' | s] `(B, 2)`, or E[s' | s, R] with returns `(B,)`."""
        expected = states @ self.closed.T
        if returns is None:
            return expected
        mean, deviation = self.return_moments(states)
        after, b = self._effects()[1], self.problem.b[:, 0]
        covariance = self.sigma**2 * (self.action_reward + after @ b) * b + self.problem.w @ after
        return expected + np.outer((returns - mean) / deviation**2, covariance)

    def action_for_return(self, states: Reals, returns: Reals) -> Reals:
        """E[a | s, R] `(B,)`: what a policy that is told the return imitates."""
        mean, deviation = self.return_moments(states)
        after, b = self._effects()[1], self.problem.b[:, 0]
        covariance = self.sigma**2 * (self.action_reward + float(after @ b))
        return -states @ self.gain[0] + covariance / deviation**2 * (returns - mean)

    def action(self, states: Reals, following: Reals) -> Reals:
        """E[a | s, s'] `(B,)`: what an inverse dynamics can know."""
        b = self.problem.b
        spread = self.sigma**2 * b @ b.T + self.problem.w
        # Without noise on the position, its change says nothing that the velocity's does not.
        weights = self.sigma**2 * b.T @ np.linalg.pinv(spread)
        surprise = following - states @ self.closed.T
        return (surprise @ weights.T - states @ self.gain.T)[:, 0]
