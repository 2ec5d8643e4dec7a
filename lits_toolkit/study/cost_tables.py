"""The dissertation's tables of networks (Tustumi, UNICAMP 2020): their costs beside ours, and the encoders' settings.

Tables 4.2 and 4.3 are counts, as printed and as counted here; Tables A.3 to A.23 are what the networks are built from.
"""

from collections.abc import Sequence

import pandas as pd

from lits_toolkit.errors import SettingError, nearest
from lits_toolkit.models.catalogue import CONTRADICTIONS, describe_model, published_costs
from lits_toolkit.models.encoders import encoders
from lits_toolkit.study.table import Table

COST_TABLES = {"4.2": "2D networks, of an input of 9 × 256 × 256", "4.3": "3D networks, of an input of 8 × 256 × 256"}
_SWAPPED = "Its rows top and default belong to each other's network in each block, and stand with their own here. "
_FLOPS = (
    "The printed FLOPs are what an old counter gave, which left out most convolutions and counted normalisations: they "
    "and our MACs, multiply-accumulates of all convolutions, measure two things."
)


def costs(names: Sequence[str] | None = None) -> pd.DataFrame:
    """What the dissertation's 21 networks, or those of `names`, cost, as printed and as counted for one input.

    Columns: table, model, block, layout, printed_row (the table's), parameters_printed, flops_printed, parameters,
    macs, difference (of our parameters from the printed ones, as a share of these), note.
    Raises SettingError for a name that Tables 4.2 and 4.3 do not have.
    """
    published = published_costs()
    rows = []
    for name in names or published:
        if name not in published:
            raise SettingError(f"no published cost of {name!r}; {nearest(name, list(published))}")
        ours, printed = describe_model(name), published[name]
        rows.append(
            {
                "table": printed.table,
                "model": name,
                "block": ours.block,
                "layout": ours.layout,
                "printed_row": printed.printed_row,
                "parameters_printed": round(printed.parameters_millions * 1e6),
                "flops_printed": round(printed.flops_millions * 1e6),
                "parameters": ours.parameters,
                "macs": ours.macs,
                "difference": ours.parameters / (printed.parameters_millions * 1e6) - 1,
                "note": ours.note,
            }
        )
    return pd.DataFrame(rows)


def cost_table(table: str, counted: pd.DataFrame) -> Table:
    """Table 4.2 (2D) or 4.3 (3D): parameters and FLOPs as printed, beside them ours.

    `counted` is from `costs`; the data are its rows of this table. Raises SettingError for another table, or where
    `counted` has no row of it.
    """
    if table not in COST_TABLES:
        raise SettingError(f"table {table}: expected one of {', '.join(COST_TABLES)}")
    data = counted[counted["table"] == table].reset_index(drop=True)
    if data.empty:
        raise SettingError(f"no network of Table {table} was counted: expected one at least")
    text = pd.DataFrame(
        {
            "block": data["block"],
            "layout": data["layout"],
            "parameters, printed": [f"{count / 1e6:.2f} M" for count in data["parameters_printed"]],
            "ours": [f"{count / 1e6:.2f} M" for count in data["parameters"]],
            "difference": [_percent(share) for share in data["difference"]],
            "FLOPs, printed": [f"{count / 1e6:.2f} M" for count in data["flops_printed"]],
            "MACs, ours": [f"{count / 1e6:.0f} M" for count in data["macs"]],
        }
    ).set_index(["block", "layout"])
    swapped = (data["printed_row"] != data["layout"]).any()
    return Table(f"Table {table} · {COST_TABLES[table]}", data, text, (_SWAPPED if swapped else "") + _FLOPS)


def encoder_table(name: str) -> Table:
    """The table of Appendix A.2 with the settings of a network's encoder, with the values that it is built from.

    The data has a row for each layer: table, model, layer, repetitions, kernel, stride, expansion, printed_expansion,
    features_in, features_out, se_squeeze. Raises SettingError for a network that is none of the dissertation's.
    """
    if name not in encoders():
        raise SettingError(f"no table of the encoder of {name!r}; {nearest(name, list(encoders()))}")
    ours = encoders()[name]
    (printed,) = [each for each in encoders(printed=True).values() if each.table == ours.table]
    rows = [
        {
            "table": ours.table,
            "model": name,
            "layer": number,
            "repetitions": layer.repetitions,
            "kernel": layer.kernel,
            "stride": "×".join(map(str, layer.stride)),
            "expansion": layer.expansion,
            "printed_expansion": as_printed.expansion,
            "features_in": layer.features_in,
            "features_out": layer.features_out,
            "se_squeeze": layer.se_squeeze,
        }
        for number, (layer, as_printed) in enumerate(zip(ours.layers, printed.layers, strict=True), 1)
    ]
    data = pd.DataFrame(rows)
    none = (data["expansion"] == 1).all()  # of a block that has no expansion
    text = pd.DataFrame(
        {
            "layer": data["layer"].astype(str),
            "repetitions": data["repetitions"].astype(str),
            "filter size": data["kernel"].astype(str),
            "stride": data["stride"],
            "expansion": "–" if none else data["expansion"].astype(str),
            "features in": data["features_in"].astype(str),
            "features out": data["features_out"].astype(str),
            "SE squeeze": [f"{share:.2f}" for share in data["se_squeeze"]],
        }
    ).set_index("layer")
    note = CONTRADICTIONS.get(name, "")
    title = f"Table {ours.table} · the encoder of {name}, from the largest image to the smallest"
    return Table(title, data, text, note and f"Of the table in print: {note}.")


def _percent(share: float) -> str:
    """With its sign, a true minus, where it is not 0 to the digit that is shown."""
    percent = round(100 * share, 1)
    return f"{percent:+.1f} %".replace("-", "−") if percent else "0.0 %"
