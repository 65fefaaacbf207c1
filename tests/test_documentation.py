"""Examples in the README and in docstrings run as printed."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
# Found by their text: what has no example may need packages that are optional.
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("wirelessenvs", "networld_agent", "benchmarks")
    for path in (ROOT / package).rglob("*.py")
    if any(">>>" in line and "+SKIP" not in line for line in path.read_text().splitlines())
)


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
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_readme_links_and_pictures_exist(link):
    if not link.startswith("http"):
        assert (ROOT / link).exists()


def test_readme_commands_name_modules_that_exist():
    for module in re.findall(r"python -m ([\w.]+)", README):
        assert importlib.util.find_spec(module) is not None, module
