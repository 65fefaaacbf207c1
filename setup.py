"""What `pyproject.toml` cannot say: where `benchmarks` goes, and the README as PyPI shows it."""

import re
import tomllib
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get("urls", {})
#: A package `benchmarks` would meet those of other projects in site-packages.
BENCHMARKS = "networld_benchmarks.root.benchmarks"
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]*)\)")


def absolute(link: re.Match[str]) -> str:
    """A link into the repository at its address; without an address its text, and no picture."""
    picture, text, path = link.groups()
    if "Repository" in URLS:
        kind = "raw" if picture else "blob"
        return f"{picture}[{text}]({URLS['Repository'].rstrip('/')}/{kind}/HEAD/{path})"
    return "" if picture else text


own = find_packages(include=["wirelessenvs*", "networld_agent*", "networld_benchmarks*"])
shared = find_packages(include=["benchmarks*"])
setup(
    packages=[*own, *(BENCHMARKS + name.removeprefix("benchmarks") for name in shared)],
    package_dir={BENCHMARKS: "benchmarks"},
    long_description=LINK.sub(absolute, (ROOT / "README.md").read_text()),
    long_description_content_type="text/markdown",
)
