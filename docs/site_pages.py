"""What the site has beside `docs/`: the README, the notebooks, the figures, and a page of the reference for each layer.

A hook of MkDocs (`mkdocs.yml`): nothing is copied, and nothing is told twice.
"""

import re
from itertools import groupby
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

from lits_toolkit.report.registry import EXHIBITS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lits_toolkit"


@event_priority(100)  # before mkdocs-jupyter, which looks for notebooks among the files
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside `docs/`, and what is made here."""
    outside = [ROOT / "README.md", *(ROOT / "notebooks").glob("*.ipynb"), *(ROOT / "figures").glob("*.png")]
    for path in sorted(outside):
        place = path.relative_to(ROOT).as_posix()
        files.append(File(place, str(ROOT), config.site_dir, config.use_directory_urls))
    for place, text in {"what_comes_out.md": what_comes_out(), **reference_pages()}.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_post_page(output: str, **_: object) -> str:
    """Leave out MathJax, which mkdocs-jupyter would fetch from another host; no notebook has formulas."""
    return re.sub(r"<script[^>]*mathjax[^>]*>.*?</script>", "", output, flags=re.DOTALL | re.IGNORECASE)


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
            place = ROOT / "figures" / entry.file
            if place.is_file() and entry.is_table:
                parts.append(place.read_text(encoding="utf-8").rstrip() + f"\n\n`{entry.name}`")
            elif place.is_file():
                parts.append(f"![{entry.shows}](figures/{entry.file})\n\n*{_sentence(entry.told)}* `{entry.name}`")
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


def _modules(layer: str) -> list[str]:
    """The dotted names of a layer's modules, packages that say something included."""
    places = sorted((PACKAGE / layer).rglob("*.py")) or [PACKAGE / f"{layer}.py"]
    told = [place for place in places if place.read_text().strip()]
    return [".".join(place.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for place in told]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
