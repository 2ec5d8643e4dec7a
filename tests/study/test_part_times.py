import numpy as np
import pytest

from lits_toolkit.errors import SettingError
from lits_toolkit.models.cost import count, input_shape
from lits_toolkit.models.machine import Machine
from lits_toolkit.study.benchmark import on_meta
from lits_toolkit.study.part_times import time_parts

ONE = Machine("a CPU", 2, 2, "2.9", 1.0, 1.0)
"""Of one FLOP and one byte per second."""


@pytest.mark.parametrize("name", ["2d-shufflenet_v2-default", "3d-dsts-default", "han2017"])
def test_each_part_has_its_time_and_its_floor(name):
    found = time_parts(name, ONE, batch=1, size=32, repeat=1).set_index("part")
    network = on_meta(name)
    slices = 1 if network.dimensions == 2 else 4
    macs = count(network, input_shape(network.dimensions, 32)).macs
    assert found["compute_floor_s"].sum() * slices == pytest.approx(2 * macs)
    assert (found["floor_s"] >= np.maximum(found["compute_floor_s"], found["memory_floor_s"]) * (1 - 1e-9)).all()
    assert (found.drop("between")["seconds"] > 0).all()
    assert found.loc["between", "floor_s"] == 0


def test_an_unknown_network_is_told():
    with pytest.raises(SettingError, match="no model is called"):
        time_parts("2d-abacus", ONE)
