import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.models.catalogue import build_model, describe_models


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("2d-mobilenet_v2-top", 3.760),
        ("2d-mobilenet_v2-default", 4.641),
        ("2d-mobilenet_v2-bottom", 6.371),
        ("3d-mobilenet_v2-top", 1.228),
        ("3d-mobilenet_v2-default", 1.563),
        ("3d-mobilenet_v2-bottom", 2.899),
    ],
)
def test_parameters_to_the_printed_digit(name, millions):
    entry = next(entry for entry in describe_models() if entry.name == name)
    assert round(entry.parameters / 1e6, 3) == millions


def test_the_2d_networks_have_the_dissertations_counts():
    for entry in describe_models():
        if entry.dimensions == 2:
            assert round(entry.parameters / 1e6, 2) == entry.published_parameters_millions


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(SettingError, match="2d-mobilenet_v2-top"):
        build_model("2d-mobilenetv2-top")
