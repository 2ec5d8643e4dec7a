"""What the site has beside `docs/`: the README, the notebooks, the figures, and a page of the reference for each layer.

A hook of MkDocs (`mkdocs.yml`): nothing is kept twice. The notebooks, which have no outputs, get the committed ones.
"""

import re
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

from lits_toolkit.report.registry import EXHIBITS, Exhibit

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lits_toolkit"
MADE = TemporaryDirectory()
"""Of the notebooks with their results, since mkdocs-jupyter reads files alone."""


@event_priority(100)  # before mkdocs-jupyter, which looks for notebooks among the files
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside `docs/`, and what is made here."""
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        made = Path(MADE.name) / path.relative_to(ROOT)
        made.parent.mkdir(exist_ok=True)
        nbformat.write(with_results(path), made)
    for path in sorted([ROOT / "README.md", *notebooks, *(ROOT / "figures").glob("*.png")]):
        place, source = path.relative_to(ROOT).as_posix(), MADE.name if path in notebooks else str(ROOT)
        files.append(File(place, source, config.site_dir, config.use_directory_urls))
    for place, text in {"what_comes_out.md": what_comes_out(), **reference_pages()}.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_post_page(output: str, **_: object) -> str:
    """Leave out MathJax, which mkdocs-jupyter would fetch from another host; no notebook has formulas."""
    return re.sub(r"<script[^>]*mathjax[^>]*>.*?</script>", "", output, flags=re.DOTALL | re.IGNORECASE)


def with_results(notebook: Path) -> nbformat.NotebookNode:
    """A notebook with each committed figure and table below the cell that names its file, the others at its end."""
    read = nbformat.read(notebook, as_version=4)
    own = [entry for entry in EXHIBITS if entry.notebook == notebook.stem and (ROOT / "figures" / entry.file).is_file()]
    cells = []
    for cell in read.cells:
        here = [entry for entry in own if cell.cell_type == "code" and f'"{Path(entry.file).stem}"' in cell.source]
        own = [entry for entry in own if entry not in here]
        cells += [cell, *(_cell(_shown(entry, "../figures")) for entry in here)]
    rest = [_cell("## What it saves besides"), *(_cell(_shown(entry, "../figures")) for entry in own)] if own else []
    read.cells = [*cells, *rest]
    return read


def what_comes_out() -> str:
    """The committed figures and tables by notebook, each with what it shows; below, what else `lits figures` makes."""
    parts = [
        "# What comes out",
        "The figures and tables that the notebooks make, as `lits figures` has rendered them on a study of *phantoms*: "
        "a score in them is a phantom's, not one of LiTS. 03 and 09 need no data.",
    ]
    for notebook, exhibits in groupby(EXHIBITS, lambda entry: entry.notebook):
        parts.append(f"## {notebook}\n\n[The notebook](notebooks/{notebook}.ipynb)")
        others = []
        for entry in exhibits:
            if (ROOT / "figures" / entry.file).is_file():
                parts.append(_shown(entry, "figures"))
            else:
                others.append(f"- {_sentence(entry.told)} `{entry.name}`")
        if others:
            parts.append("Not shown here:\n\n" + "\n".join(others))
    return "\n\n".join(parts) + "\n"


def reference_pages() -> dict[str, str]:
    """A page for each row of the table of layers in `docs/design.md`, with every module of those layers."""
    table = (ROOT / "docs" / "design.md").read_text().split("| Layer | Holds |")[1].split("\n\n")[0]
    pages = {}
    for named, holds in re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE):
        layers = [name.rstrip("/") for name in re.findall(r"`(.+?)`", named)]
        modules = "\n\n".join(f"::: {module}" for layer in layers for module in _modules(layer))
        pages[f"reference/{layers[0]}.md"] = f"# {', '.join(layers)}\n\n{_sentence(holds)}\n\n{modules}\n"
    return pages


def _shown(entry: Exhibit, figures: str) -> str:
    """A committed figure or table with its caption; `figures` is where its page has the folder of figures."""
    of = " Made on a study of phantoms." if entry.needs else ""
    caption = f"*{_sentence(entry.told)}{of}* `{entry.name}`"
    if entry.is_table:
        return (ROOT / "figures" / entry.file).read_text(encoding="utf-8").rstrip() + f"\n\n{caption}"
    return f"![{entry.shows}]({figures}/{entry.file})\n\n{caption}"


def _cell(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(text)


def _modules(layer: str) -> list[str]:
    """The dotted names of a layer's modules, packages that say something included."""
    places = sorted((PACKAGE / layer).rglob("*.py")) or [PACKAGE / f"{layer}.py"]
    told = [place for place in places if place.read_text().strip()]
    return [".".join(place.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for place in told]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
