"""The documentation site: ``make docs`` builds it. A reader's browser needs no other server than that of the site."""

from __future__ import annotations

import os
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from airflow_provider_lms import __version__

# Autodoc imports Airflow, which would write into the home of whoever builds the site.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-provider-lms-docs-")
MERMAID = Path(__file__).parent.parent / ".venv-docs/node_modules/mermaid/dist/mermaid.min.js"

project = "airflow-provider-lms"
version = release = __version__
language = "en"
html_title = f"{project} {release}"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["_build"]

# The pages are read on GitHub too: headings get the anchors that GitHub gives them, and links lead to files.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]

html_theme = "furo"
html_static_path = ["_static", str(MERMAID)]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6bcb", "color-brand-content": "#0b6bcb"},
    "dark_css_variables": {"color-brand-primary": "#7ab8ff", "color-brand-content": "#7ab8ff"},
    "top_of_page_buttons": [],
}
copybutton_exclude = ".linenos, .gp, .go"

toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True


class Diagram(SphinxDirective):
    """A ``mermaid`` block. GitHub draws it; on this site the reader's browser does, with a script of the site.

    sphinxcontrib-mermaid loads mermaid as a module. A browser refuses that for pages that are opened from a disk.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        diagram = nodes.raw("", f'<pre class="mermaid">{escape(chr(10).join(self.content))}</pre>', format="html")
        diagram["classes"].append("mermaid")
        return [diagram]


def _add_scripts(app: Sphinx, *event: Any) -> None:
    """Load mermaid on the pages with a diagram only: it is large."""
    tree: nodes.document | None = event[-1]
    if tree is not None and any("mermaid" in node["classes"] for node in tree.findall(nodes.raw)):
        app.add_js_file("mermaid.min.js")
        app.add_js_file("diagrams.js")


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this."""
    app.add_directive("mermaid", Diagram)
    app.connect("html-page-context", _add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
