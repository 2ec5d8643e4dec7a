"""One table of a whole study: what each network costs and how good it is, the dissertation's figures beside ours."""

from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from lits_toolkit.metrics.lesions import SIZE_GROUPS
from lits_toolkit.models.catalogue import describe_model, published_costs
from lits_toolkit.models.published_time import published_times
from lits_toolkit.study.results import Results

DISSERTATION = "dissertation, LiTS"
STUDY_COLUMNS = (
    "model", "source", "method", "note", "parameters", "macs", "seconds", *SIZE_GROUPS, "tumors", "dice_per_case"
)  # fmt: skip


def study_table(results: Results, times: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every network of the dissertation's Tables 4.6 and 4.7, its figures and below them ours, in the tables' order.

    Args:
        results: Methods of ours; one is put to the network by which it was made, wherever that is known.
        times: Of `study.benchmark.Benchmark`; of its runtimes the fastest counts for a network.

    Returns:
        Columns STUDY_COLUMNS: `source` "dissertation, LiTS" or "ours, COHORT"; `note` why there is no number of ours,
        as `Results.why_none` has it. `parameters` and `macs` (of one sample) as printed and, of ours with a score, as
        counted, `seconds` per slice to predict; Dice of the size groups, lesion by lesion, a miss counting 0; `tumors`
        how many ours are a mean over, as "21, 9, 4". NaN where there is no number. A network that several methods share
        has as many rows; methods without a network (thresholds, others' masks) come last, with no model.
    """
    source = f"ours, {results.label}"
    seconds = _fastest(times)
    rows: list[dict[str, Any]] = []
    for printed in published_dice().to_dict("records"):
        name = str(printed["model"])
        rows.append({"model": name, "source": DISSERTATION} | _published(name) | {g: printed[g] for g in SIZE_GROUPS})
        ours = {"model": name, "source": source, "seconds": seconds.get(name)}
        own = [method for method, network in results.networks.items() if network == name]
        rows += [ours | {"method": method} | _counted(name) | _measured(results, method) for method in own]
        if not own:
            rows.append(ours | {"note": results.why_none(name)})
    known = set(published_dice()["model"])
    rows += [
        {"model": "", "source": source, "method": method} | _measured(results, method)
        for method, network in results.networks.items()
        if network not in known
    ]
    table = pd.DataFrame(rows, columns=list(STUDY_COLUMNS)).fillna({"tumors": "", "note": "", "method": ""})
    numbers = [column for column in STUDY_COLUMNS if column not in ("model", "source", "method", "note", "tumors")]
    return table.astype(dict.fromkeys(numbers, float))


@cache
def read_published(name: str) -> pd.DataFrame:
    """One of this package's tables of what the dissertation prints, `published_NAME.csv`."""
    with files("lits_toolkit.study").joinpath(f"published_{name}.csv").open(encoding="utf-8") as lines:
        return pd.read_csv(lines, dtype={"table": str})


def published_dice() -> pd.DataFrame:
    """Dice by size group as printed: columns table ("4.6" | "4.7"), model, small, medium, large."""
    return read_published("dice_by_size")


def _published(name: str) -> dict[str, float | None]:
    cost, time = published_costs()[name], published_times().get(name)
    return {
        "parameters": 1e6 * cost.parameters_millions,
        "macs": 1e6 * cost.flops_millions,
        "seconds": time.prediction_s if time else None,
    }


def _counted(name: str) -> dict[str, int]:
    entry = describe_model(name)
    return {"parameters": entry.parameters, "macs": entry.macs}


def _measured(results: Results, method: str) -> dict[str, Any]:
    scores = results.scores[method]
    groups = scores.lesions[scores.lesions["kind"] == "reference"].groupby("size_group")["dice"]
    counts, means = groups.size(), groups.mean()
    return {
        **{group: means.get(group) for group in SIZE_GROUPS},
        "tumors": ", ".join(str(counts.get(group, 0)) for group in SIZE_GROUPS),
        "dice_per_case": scores.summary["tumor"]["dice_per_case"],
    }


def _fastest(times: pd.DataFrame | None) -> dict[str, float]:
    if times is None:
        return {}
    ours = times[(times["work"] == "prediction") & ~times["source"].isin(["dissertation", "floor"])]
    return {str(model): float(seconds) for model, seconds in ours.groupby("model")["seconds"].min().items()}
