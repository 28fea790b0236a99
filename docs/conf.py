"""The documentation as a site with every public name: `make site` builds it into build/site.

The pages are the project's Markdown files, as they lie; `docs/api/` is drawn from the docstrings.
"""

from __future__ import annotations

from typing import Any

import pellucid

project = "pellucid"
author = copyright = "The pellucid founders"
release = version = pellucid.__version__

# The source folder is the project's top, so that links between the pages hold on the site too.
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**", "benchmarks/*.md", "examples/*.md", "tests/bogo/*.md"]
source_suffix = {".md": "markdown"}

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_heading_anchors = 4
default_role = "code"  # a single backtick in a docstring is what it is in Markdown
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "pellucid"
html_copy_source = False

#: The site's table of contents; `setup` gives it to the first page, whose Markdown does without.
CONTENTS = {
    "Watching": ["command-line", "live", "trace", "proxy"],
    "When it fails": ["failures/*"],
    "Using": ["examples", "ssl", "shells", "ecosystem", "lab"],
    "Trusting": ["features", "conformance", "/tests/bogo/README", "attacks", "interop", "/SECURITY"],
    "Building": ["architecture", "states", "/CONTRIBUTING", "/benchmarks/README", "/CHANGELOG", "/README"],
    "Every public name": ["api/index", "api/*"],
}


def setup(app: Any) -> None:
    """Sphinx asks for this; see `CONTENTS`."""

    def add_contents(app: Any, name: str, source: list[str]) -> None:
        if name == root_doc:
            for caption, pages in CONTENTS.items():
                options = f":hidden:\n:glob:\n:caption: {caption}"
                source[0] += "\n".join(["\n```{toctree}", options, *(f"{page}*" for page in pages), "```\n"])

    def read_as_markdown(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
        """An indented block after a blank line is code; a property's colon does not set off a type."""
        for number in range(len(lines) - 2, 0, -1):
            text, blank, block = lines[number - 1 : number + 2]
            if text[:1].strip() and not blank and block.startswith("    ") and ">>>" not in block:
                lines[number:number] = ["", "::"]
        if what == "property":
            lines.insert(0, "")

    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", read_as_markdown, priority=400)  # before napoleon
