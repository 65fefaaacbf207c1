"""Functions that are captured per shape, with a stand-in for CUDA graphs on the CPU."""

import pytest
import torch
from recorded_graphs import RecordedGraphs

from networld_agent.cuda_graph import GraphedFunction


def test_a_captured_function_computes_anew_from_its_inputs():
    graphs, calls = RecordedGraphs(), []

    def function(x, y):
        calls.append(None)
        return x @ y, (x + 1).sum()

    graphed = GraphedFunction(function, graphs, warm_ups=2)
    for _ in range(4):
        x, y = torch.randn(3, 4), torch.randn(4, 2)
        product, total = graphed(x, y)
        torch.testing.assert_close(product, x @ y)
        torch.testing.assert_close(total, (x + 1).sum())
    # Two to warm up and one to capture: replays call nothing.
    assert len(calls) == 3
    assert graphs.recordings == 1


def test_every_shape_and_type_has_its_own_capture_up_to_a_limit():
    graphs = RecordedGraphs()
    graphed = GraphedFunction(lambda x: (2 * x,), graphs, max_shapes=2)
    for value in (torch.ones(3), torch.ones(4), torch.ones(3), torch.ones(5), torch.ones(3).int()):
        assert torch.equal(graphed(value)[0], 2 * value)
    assert graphs.recordings == 2


def test_what_it_reads_besides_its_arguments_is_read_anew_until_it_moves():
    weight = torch.ones(2)
    graphed = GraphedFunction(lambda x: (x * weight,), RecordedGraphs())
    assert graphed(torch.ones(2))[0].tolist() == [1, 1]
    weight.fill_(3)
    assert graphed(torch.ones(2))[0].tolist() == [3, 3]
    weight = torch.full((2,), 7.0)
    assert graphed(torch.ones(2))[0].tolist() == [3, 3]
    graphed.forget()
    assert graphed(torch.ones(2))[0].tolist() == [7, 7]


def test_a_function_that_cannot_be_captured_runs_as_it_is_and_says_so_once():
    class Refusing(RecordedGraphs):
        def capture(self, call):
            raise RuntimeError("not permitted while capturing\nmore")

    graphed = GraphedFunction(lambda x: (x + 1,), Refusing(), name="The decision")
    with pytest.warns(RuntimeWarning, match="^The decision could not be captured .* not permitted"):
        assert graphed(torch.zeros(1))[0] == 1
    assert graphed(torch.ones(1))[0] == 2
