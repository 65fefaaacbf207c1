"""Sphinx configuration: `make docs` builds the site into `build/docs`, without a network."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "_extensions")]

project = "wirelessenvs"
author = "The wirelessenvs authors"
copyright = f"2026, {author}"  # noqa: A001, Sphinx's name for it


def read_version() -> str:
    """The package's version, read without importing the package."""
    tree = ast.parse((ROOT / "wirelessenvs" / "__init__.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise LookupError("wirelessenvs/__init__.py defines no __version__.")


version = release = read_version()

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "repository_texts",
]
exclude_patterns = ["_extensions"]
html_theme = "furo"
html_title = f"wirelessenvs {release}"

# Links to headings as GitHub writes them.
myst_heading_anchors = 4

# Docstrings mark code as Markdown does, with single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"NDArray": "numpy.typing.NDArray"}
python_maximum_signature_line_length = 88
napoleon_use_rtype = False
napoleon_use_ivar = True

# Names of other packages and of our own internal modules have no page here to link to. What is no
# name at all is a docstring that was read wrongly, and stays an error.
nitpick_ignore_regex = [(r"py:.*", r"[\w.]+")]


def shorten_defaults(app, what, name, obj, options, signature, result):  # noqa: ARG001
    """Writes a dataclass field's default factory as `...`, which is valid Python."""
    if signature and "<factory>" in signature:
        return signature.replace("<factory>", "..."), result
    return None


def setup(app):
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", shorten_defaults)
