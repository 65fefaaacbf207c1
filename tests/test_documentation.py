"""Examples in the README and in docstrings run as printed."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import wirelessenvs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(wirelessenvs.__path__, "wirelessenvs.")
    if not name.endswith("__main__")
]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_readme_example_runs_as_printed(block):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})


def test_readme_shows_every_facade():
    text = "\n".join(BLOCKS)
    for creation in ("wirelessenvs.make(", "gymnasium.make(", "gymnasium.make_vec("):
        assert creation in text


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_readme_links_and_pictures_exist(link):
    if not link.startswith("http"):
        assert (ROOT / link).exists()


def test_readme_commands_name_modules_that_exist():
    for module in re.findall(r"python -m ([\w.]+)", README):
        assert importlib.util.find_spec(module) is not None, module
