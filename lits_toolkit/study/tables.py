"""The dissertation's tables of scores with ours beside them (Tustumi, UNICAMP 2020, Tables 4.6 to 4.8).

Every row says what it was measured on: a phantom's score is never LiTS's.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from lits_toolkit.errors import InputError, SettingError
from lits_toolkit.files import read_json
from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.study.results import Results
from lits_toolkit.study.workspace import COHORT, Workspace

DISSERTATION = "dissertation, LiTS"
SIZE_COLUMNS = ("block", "layout", "source", *SIZE_GROUPS, "tumors", "note")
CHALLENGE_COLUMNS = (
    "model", "source", "dice_per_case", "dice_global", "voe", "rvd", "assd_mm", "parameters", "note"
)  # fmt: skip

_TEST_CASES = 70
_OFFICIAL = {
    "dice_per_case": "lesion_dice_per_case",
    "dice_global": "lesion_dice_global",
    "voe": "lesion_voe",
    "rvd": "lesion_rvd",
    "assd_mm": "lesion_assd",
}
"""Column of Table 4.8 → its name in the challenge's scores."""


def published_dice_by_size_group(models: Sequence[str] | None = None) -> pd.DataFrame:
    """Dice by size group on LiTS as the dissertation prints it (Tables 4.6 and 4.7).

    Columns: table, model (as in "2d-mobilenet_v2-top"), size_group, dice; for `models` only, where given.
    Raises SettingError for a model that the tables do not have.
    """
    wide = _published("dice_by_size")
    tidy = wide.melt(["table", "model"], list(SIZE_GROUPS), "size_group", "dice")
    for model in models or ():
        if model not in set(tidy["model"]):
            raise SettingError(f"no published Dice for {model}: the tables have {', '.join(wide['model'])}")
    return tidy if models is None else tidy[tidy["model"].isin(models)].reset_index(drop=True)


def dice_by_size_table(table: str, results: Results) -> pd.DataFrame:
    """Table 4.6 (2D) or 4.7 (3D), our row below each of the dissertation's.

    Args:
        table: "4.6" or "4.7".
        results: Methods of ours; one is put to the network by which it was made, wherever that is known.

    Returns:
        Columns SIZE_COLUMNS: `source` "dissertation, LiTS" or "ours, COHORT"; Dice of the size groups, NaN without a
        number; `tumors` how many ours are a mean over, as "21, 9, 4"; `note` the method, or why there is none: "not
        trained", "trained, not scored" or, of folders of masks, "no prediction". A network that several methods share
        has as many rows. Methods without a network of the two tables (thresholds, others' masks) come last, with the
        method as `block`.

    Raises:
        SettingError: `table` is another one.
    """
    published = _published("dice_by_size")
    if table not in set(published["table"]):
        raise SettingError(f"table {table}: expected one of {', '.join(dict.fromkeys(published['table']))}")
    source = f"ours, {results.label}"
    rows: list[dict[str, Any]] = []
    for printed in published[published["table"] == table].to_dict("records"):
        _, block, layout = printed["model"].split("-")
        place = {"block": block, "layout": layout}
        rows.append(place | {"source": DISSERTATION} | {group: printed[group] for group in SIZE_GROUPS})
        own = [method for method, network in results.networks.items() if network == printed["model"]]
        rows += [place | {"source": source, "note": method} | _dice_by_size(results, method) for method in own]
        if not own:
            rows.append(place | {"source": source, "note": _why_none(printed["model"], results.trained)})
    for method, network in results.networks.items():
        if network not in set(published["model"]):
            rows.append({"block": method, "layout": "", "source": source} | _dice_by_size(results, method))
    return pd.DataFrame(rows, columns=list(SIZE_COLUMNS)).fillna({"tumors": "", "note": ""})


def challenge_table(submissions: Mapping[str, str | Path] | None = None) -> pd.DataFrame:
    """Table 4.8, the LiTS challenge: what is published, the dissertation's submissions, and room for ours.

    Args:
        submissions: Network's name in the catalogue → a JSON file of the official score of its submission to the
            challenge, under the challenge's names: `official_as_published.json` counts as the challenge does.

    Returns:
        Columns CHALLENGE_COLUMNS: lesions' scores on the 70 test volumes of LiTS, NaN where none is known; RVD with
        the challenge's sign, `parameters` as printed. Ours are NaN until somebody submits: first the networks that the
        dissertation submitted, then the others of `submissions`.

    Raises:
        SettingError: A name is not in the catalogue.
        InputError: A file lacks a score, or is not of LiTS's 70 test volumes, as of phantoms.
    """
    published = _published("challenge").fillna({"network": "", "note": ""})
    given = submissions or {}
    networks = [*published.loc[published["network"] != "", "network"], *given]
    source = published["network"].map(lambda network: DISSERTATION if network else "published, LiTS")
    ours = []
    for name in dict.fromkeys(networks):
        scores = _official_scores(Path(given[name])) if name in given else {"note": "not submitted"}
        ours.append({"model": name, "source": "ours, LiTS", "parameters": _parameters(name), "note": ""} | scores)
    columns = list(CHALLENGE_COLUMNS)
    tables = [published.assign(source=source)[columns], pd.DataFrame(ours, columns=columns)]
    floats = [table.astype(dict.fromkeys(_OFFICIAL, float)) for table in tables]
    return pd.concat(floats, ignore_index=True)


def in_print(table: pd.DataFrame) -> pd.DataFrame:
    """A table as text: numbers with three digits, "–" where there is none; names are the index, one above the other."""
    text = table.copy()
    for column in table.select_dtypes("number"):
        text[column] = [_three_digits(value) for value in table[column]]
    names = list(table)[: list(table).index("source") + 1]
    return text.set_index(names)


@cache
def _published(name: str) -> pd.DataFrame:
    with files("lits_toolkit.study").joinpath(f"published_{name}.csv").open(encoding="utf-8") as lines:
        return pd.read_csv(lines, dtype={"table": str})


def _why_none(network: str, trained: Collection[str] | None) -> str:
    if trained is None:
        return "no prediction"
    return "trained, not scored" if network in trained else "not trained"


def _dice_by_size(results: Results, method: str) -> dict[str, Any]:
    lesions = results.scores[method].lesions
    groups = lesions[lesions["kind"] == "reference"].groupby("size_group")["dice"]
    counts, means = groups.size(), groups.mean()
    return {
        **{group: means.get(group, float("nan")) for group in SIZE_GROUPS},
        "tumors": ", ".join(str(counts.get(group, 0)) for group in SIZE_GROUPS),
    }


def _parameters(network: str) -> str:
    import torch

    from lits_toolkit.models.catalogue import build_model

    with torch.device("meta"):  # shapes without numbers; a network's MACs would take seconds, and are not asked for
        parameters = build_model(network).parameters()
    return f"{sum(parameter.numel() for parameter in parameters) / 1e6:.2f}M"


def _official_scores(path: Path) -> dict[str, Any]:
    _refuse_phantoms(path)
    official = read_json(path)
    missing = [name for name in _OFFICIAL.values() if name not in official]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: expected the official score of a submission")
    cases = official.get("cases", _TEST_CASES) + official.get("cases_left_out", 0)
    if cases != _TEST_CASES:
        raise InputError(
            f"{path} is of {cases} cases: Table 4.8 is of the {_TEST_CASES} test volumes of LiTS, and of nothing else"
        )
    return {column: official[name] for column, name in _OFFICIAL.items()}


def _refuse_phantoms(path: Path) -> None:
    for folder in path.resolve().parents:
        if (folder / COHORT).is_file() and "phantom" in Workspace(folder).label:
            raise InputError(f"{path} is of a {Workspace(folder).label}: a phantom's score is none of LiTS")


def _three_digits(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
