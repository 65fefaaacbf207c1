"""Examples in the README and in docstrings run as printed; every page is on the site."""

import doctest
import fnmatch
import importlib
import re
from pathlib import Path

import pytest
import yaml

import networld_agent
import wirelessenvs

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
BLOCKS = [
    block
    for text in (
        README,
        *((DOCS / page).read_text() for page in ("getting-started.md", "deployments.md")),
    )
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
]
# Found by their text: what has no example may need packages that are optional.
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("wirelessenvs", "networld_agent", "benchmarks")
    for path in (ROOT / package).rglob("*.py")
    if any(">>>" in line and "+SKIP" not in line for line in path.read_text().splitlines())
)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_example_runs_as_printed(block):
    exec(compile(block, "example", "exec"), {"__name__": "example"})


def test_readme_shows_every_facade():
    for creation in ("wirelessenvs.make(", "gymnasium.make(", "gymnasium.make_vec("):
        assert creation in README


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page):
    for path, section in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text()):
        if path.startswith("http"):
            continue
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not section or section in sections(target), f"{path}#{section}"


def sections(page):
    """Of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_modules_that_exist(page):
    for module in re.findall(r"python -m ([\w.]+)", page.read_text()):
        assert importlib.util.find_spec(module) is not None, module


def listed_pages():
    """Patterns of the pages in the site's tables of contents."""
    trees = re.findall(r"^```{toctree}\n(.*?)^```", (DOCS / "index.md").read_text(), re.M | re.S)
    lines = [line for tree in trees for line in tree.splitlines()]
    return [line for line in lines if line and not line.startswith(":")]


def test_every_page_is_in_a_table_of_contents():
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    for page in pages - {"index"}:
        assert any(fnmatch.fnmatch(page, pattern) for pattern in listed_pages()), page


def test_the_readme_is_short_and_begins_with_code():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert lines.index("```python") < 25


def test_citation_names_authors_version_and_sources():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "license"} <= citation.keys()
    assert citation["version"] == wirelessenvs.__version__ == networld_agent.__version__
    assert all(
        {"type", "title", "authors", "year"} <= source.keys() for source in citation["references"]
    )


def test_changelog_has_the_version():
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert wirelessenvs.__version__ in versions
