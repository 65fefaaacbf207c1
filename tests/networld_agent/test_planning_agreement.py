"""Several plans per decision: the action that they agree on, in mixtures known in closed form."""

import numpy as np
import pytest
import torch
from planning_toy import ToyModel
from tiny_models import tiny_model

from networld_agent.model import ActionSpec, TaskSpec
from networld_agent.planning import Planner, PlannerConfig
from networld_agent.planning.agreement import most_agreed
from networld_agent.planning.planner_config import DEFAULT_VOTES

torch.set_num_threads(1)

LINE = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])


class Table:
    """Inverse dynamics whose probabilities are the next latent itself."""

    def loss(self, z, z_next, actions):
        columns = actions if actions.ndim == z_next.ndim else actions[..., None]
        return -z_next.gather(-1, columns).log().mean(-1)


def test_plans_of_one_mind_outvote_as_many_that_differ():
    sure = [[0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]
    chosen = most_agreed(
        Table(), torch.zeros(1, 3), torch.tensor([sure]), torch.tensor([[1, 1, 0, 2]])
    )
    assert chosen.tolist() == [0]


def test_agreement_is_the_likeliest_action_of_the_mixture():
    """Against a loop over rows, plans and actions."""
    torch.manual_seed(0)
    following = torch.rand(40, 6, 5).softmax(-1)
    actions = following.argmax(-1)
    chosen = most_agreed(Table(), torch.zeros(40, 5), following, actions)
    mixture = following.mean(1)
    for row in range(40):
        among = actions[row].tolist()
        best = max(set(among), key=lambda action: mixture[row, action].item())
        assert among[chosen[row]] == best


def test_probabilities_count_and_not_their_logarithms():
    """A plan that excludes an action has no veto: 0.9 + 0.9 + 1e-9 beats 0.4 three times."""
    following = torch.tensor([[[0.9, 0.1 - 1e-6, 1e-6], [0.9, 0.1 - 1e-6, 1e-6], [1e-9, 0.5, 0.5]]])
    chosen = most_agreed(Table(), torch.zeros(1, 3), following, torch.tensor([[0, 0, 1]]))
    assert chosen.tolist() == [0]


def test_components_of_an_action_are_judged_jointly():
    """Twice (0, 1): each component alone would give (0, 0)."""
    following = torch.tensor([[[0.6, 0.4], [0.6, 0.4], [0.6, 0.4]]])
    actions = torch.tensor([[[1, 1], [0, 1], [0, 0]]])
    assert most_agreed(Table(), torch.zeros(1, 2), following, actions).tolist() == [2]


def test_votes_follow_the_likelier_of_two_behaviours():
    """Two in five draws of a mixture go up, three down: single plans mix, many agree to go down."""

    class Mixture(ToyModel):
        def denoise(self, x, tau, task):
            ahead = torch.where(x[:, 1:2, :1] > 0.2533, 5.0, -5.0)  # the normal's 60 % quantile
            return torch.cat([x[:, :1], ahead.expand(-1, 7, 6)], 1)

    def share_down(votes):
        config = PlannerConfig(plan_mode="none", steps=1, temperature=1.0, votes=votes)
        planner = Planner(Mixture(), config=config)
        return (planner.act(np.zeros((400, 3, 3)), LINE) == -5).mean()

    assert share_down(1) == pytest.approx(0.6, abs=0.05)
    # P(Binomial(15, 0.6) >= 8) = 0.787.
    assert share_down(15) == pytest.approx(0.787, abs=0.04)


def test_eight_vote_at_temperature_1_and_none_below():
    votes = {
        t: Planner(ToyModel(), config=PlannerConfig(temperature=t)).votes for t in (0.0, 0.5, 1.0)
    }
    assert votes == {0.0: 1, 0.5: 1, 1.0: DEFAULT_VOTES}
    assert Planner(ToyModel(), config=PlannerConfig(temperature=1.0, votes=3)).votes == 3


def test_agreement_of_one_is_the_plan_itself():
    seen = np.random.default_rng(0).normal(0, 5, (2, 3, 3))
    plain, voting = (
        Planner(ToyModel(), config=PlannerConfig(temperature=t, votes=v))
        for t, v in ((0.0, 1), (0.0, 4))
    )
    np.testing.assert_array_equal(plain.act(seen, LINE), voting.act(seen, LINE))
    assert torch.equal(plain.plans, voting.plans)


@pytest.mark.parametrize("action", [
    ActionSpec("discrete", sizes=(11,)),
    ActionSpec("multidiscrete", sizes=(3, 4)),
    ActionSpec("box", low=(0.0, -1.0), high=(1.0, 2.0)),
])  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"execute": 2}, {"warm_start": 1}, {"plan_mode": "both"}])
def test_every_kind_of_action_can_be_voted_on(action, options):
    model = tiny_model(TaskSpec("rb-v0", 0, 4, action))
    config = PlannerConfig(steps=2, temperature=1.0, votes=3, candidates=2, **options)
    planner = Planner(model, config=config)
    for _ in range(3):
        actions = planner.act(np.random.default_rng(1).random((2, 3, 4)), LINE)
    assert actions.shape == ((2, 3) if action.kind == "discrete" else (2, 3, 2))
    assert planner.plans.shape[:2] == (2, 3)
