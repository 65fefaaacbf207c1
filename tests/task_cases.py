"""The configurations that every conformance test runs through: all tasks, spaces and graphs."""

import pytest

SLICING_SMALL = {"preset": "small"}

#: (task id, arguments of the environment)
CASES = [
    pytest.param("cbf-v0", {}, id="cbf"),
    pytest.param(
        "cbf-v0", {"preset": "general", "num_cells": 7, "action": "beam"}, id="cbf-general-beam"
    ),
    pytest.param(
        "cbf-v0", {"num_cells": 7, "preset": "general", "graph": "interferers"}, id="cbf-dynamic"
    ),
    pytest.param("rb-v0", {"preset": "rb-9"}, id="rb-9"),
    pytest.param("rb-v0", {"observation": "paper", "graph": "geometric"}, id="rb-paper"),
    pytest.param("slicing-v0", SLICING_SMALL, id="slicing"),
    pytest.param("slicing-v0", {**SLICING_SMALL, "action": "discrete"}, id="slicing-discrete"),
]

#: One cheap configuration per task.
TASK_CASES = [CASES[0], CASES[3], CASES[5]]
