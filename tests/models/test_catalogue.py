import json

import pytest

from lits_toolkit import cli
from lits_toolkit.errors import SettingError
from lits_toolkit.models.catalogue import build_model, describe_model, describe_models, model_names, published_costs
from lits_toolkit.models.encoders import encoders

MILLIONS = {
    "2d-mobilenet_v2-top": 3.760, "2d-mobilenet_v2-default": 4.641, "2d-mobilenet_v2-bottom": 6.371,
    "2d-mobilenet_v3-top": 3.638, "2d-mobilenet_v3-default": 4.466, "2d-mobilenet_v3-bottom": 7.796,
    "2d-shufflenet_v2-top": 1.317, "2d-shufflenet_v2-default": 1.417, "2d-shufflenet_v2-bottom": 1.534,
    "3d-mobilenet_v2-top": 1.228, "3d-mobilenet_v2-default": 1.563, "3d-mobilenet_v2-bottom": 2.899,
    "3d-mobilenet_v3-top": 0.971, "3d-mobilenet_v3-default": 1.928, "3d-mobilenet_v3-bottom": 3.264,
    "3d-shufflenet_v2-top": 1.514, "3d-shufflenet_v2-default": 1.626, "3d-shufflenet_v2-bottom": 2.036,
    "3d-dsts-top": 1.779, "3d-dsts-default": 2.620, "3d-dsts-bottom": 2.980,
}  # fmt: skip
"""Of the reading in docs/design.md, give or take what one output class has."""


@pytest.fixture(scope="module")
def entries():
    return {entry.name: entry for entry in describe_models()}


def test_the_catalogue_has_the_dissertations_networks_and_the_baseline(entries):
    assert list(entries) == model_names() == [*MILLIONS, "han2017"]


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters_of_our_reading(entries, name):
    assert entries[name].parameters / 1e6 == pytest.approx(MILLIONS[name], abs=0.0006)


@pytest.mark.parametrize("name", [name for name in MILLIONS if name.startswith("2d-mobilenet")])
def test_parameters_to_the_printed_digit(entries, name):
    assert f"{entries[name].parameters / 1e6:.2f}" == f"{entries[name].published_parameters_millions:.2f}"


def test_where_ours_is_over_one_percent_off_the_note_says_why(entries):
    for name in MILLIONS:
        entry = entries[name]
        off = abs(entry.parameters / 1e6 / entry.published_parameters_millions - 1) > 0.01
        assert ("print has about" in entry.note or "not in print" in entry.note) == off, name


def test_the_larger_of_two_networks_has_the_larger_published_count():
    """Which is why the rows top and default of Table 4.2 are taken as swapped."""
    for block in ("mobilenet_v2", "mobilenet_v3", "shufflenet_v2"):
        top, default = (published_costs()[f"2d-{block}-{layout}"] for layout in ("top", "default"))
        assert top.parameters_millions < default.parameters_millions
        assert (top.printed_row, default.printed_row) == ("default", "top")


def test_the_printed_values_are_built_on_request():
    for name in encoders():
        ours, printed = describe_model(name), describe_model(f"{name}-printed")
        assert (ours.parameters == printed.parameters) == (encoders()[name] == encoders(printed=True)[name])
    assert build_model("2d-mobilenet_v2-top-printed").encoder[0][0].layers[0][0].groups == 32  # no expansion


def test_a_configuration_of_your_own_needs_no_published_figures(monkeypatch):
    monkeypatch.setattr("lits_toolkit.models.catalogue.published_costs", dict)
    entry = describe_model("2d-shufflenet_v2-top")
    assert (entry.published_parameters_millions, entry.published_flops_millions) == (None, None)
    assert entry.macs > 0


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("2d-mobilenetv2-top", "2d-mobilenet_v2-top"), ("3d-dsts-deflaut", "3d-dsts-default"), ("han17", "han2017")],
)
def test_an_unknown_name_names_the_nearest(asked, nearest):
    with pytest.raises(SettingError, match=f"no model is called '{asked}'; the nearest is '{nearest}'"):
        build_model(asked)


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["lits", "models", *arguments])
    cli.main()
    return capsys.readouterr().out


def test_the_command_prints_objects(monkeypatch, capsys):
    objects = json.loads(run(monkeypatch, capsys, "--json"))
    assert [found["name"] for found in objects] == model_names()
    keys = {"name", "dimensions", "block", "layout", "parameters", "macs", "note"}
    assert all(keys | {"published_parameters_millions", "published_flops_millions"} <= set(found) for found in objects)


def test_the_command_prints_a_table_with_numbered_notes(monkeypatch, capsys):
    table = run(monkeypatch, capsys)
    assert all(name in table for name in model_names())
    line = next(line for line in table.splitlines() if "3d-dsts-top" in line)
    assert line.split()[:6] == ["3d-dsts-top", "A.23", "1.779", "1.68", "1.65", "66.99"]
    number = line.split()[6]
    assert f"{number}  print has about 0.10 M less" in table
