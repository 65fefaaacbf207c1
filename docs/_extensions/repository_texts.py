"""Pages whose text stands elsewhere in the repository: a file, or the manual of an environment.

A page holds one comment, which GitHub does not show, where the text belongs:

* `<!-- file: README.md -->`: the Markdown file, its links seen from `docs`.
* `<!-- docstring: wirelessenvs.rb_v0:RBParallelEnv -->`: the docstring of a class, which is
  Markdown, too.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_COMMENT = re.compile(r"^<!-- (file|docstring): (\S+) -->$", re.MULTILINE)
_LINK = re.compile(r"(?<=\]\()(?!https?:|#)[^)\s]+(?=\))")
#: Files of the root that are pages of the site.
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def file_text(name: str) -> str:
    """A Markdown file of the repository's root, with links as a page in `docs` writes them."""
    return _LINK.sub(_from_docs, (ROOT / name).read_text())


def _from_docs(link: re.Match[str]) -> str:
    target = link[0]
    if target.startswith("docs/"):
        return target.removeprefix("docs/")
    return _PAGES.get(target, f"../{target}")


def _as_download(link: re.Match[str]) -> str:
    """Markdown files outside `docs` are no pages of the site: they are offered as files."""
    outside = link[0].startswith("../") and "/results/" in link[0]
    return f"path:{link[0]}" if outside and link[0].endswith(".md") else link[0]


def docstring(name: str) -> str:
    """The docstring of `module:Class`."""
    module, _, attribute = name.partition(":")
    return inspect.getdoc(getattr(importlib.import_module(module), attribute)) or ""


def fill_in(app: Any, page: str, source: list[str]) -> None:  # noqa: ARG001, Sphinx's signature
    """Replaces the comments of a page by the texts that they name, and links by downloads."""
    texts = {"file": file_text, "docstring": docstring}
    text = _COMMENT.sub(lambda comment: texts[comment[1]](comment[2]), source[0])
    source[0] = _LINK.sub(_as_download, text)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
