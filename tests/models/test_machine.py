import pytest

from lits_toolkit.models import machine
from lits_toolkit.models.machine import Machine, measure_machine


def test_rates_are_of_the_fastest_run(monkeypatch):
    monkeypatch.setattr(machine, "durations", lambda run, repeat, warm_up: [0.5, 0.25, 1.0])
    found = measure_machine(side=10, copied_bytes=400)
    assert found.flops_per_s == 2 * 10**3 / 0.25
    assert found.bytes_per_s == 2 * 400 / 0.25
    assert found.threads >= 1
    assert found.cores >= 1
    assert found.cpu


def test_it_is_measured_in_earnest():
    found = measure_machine(side=64, copied_bytes=2**16, repeat=2)
    assert found.flops_per_s > 0 < found.bytes_per_s


def test_it_says_what_it_can_do():
    words = str(Machine("a CPU", 4, 2, "2.9", 1.86e11, 5.1e10))
    assert words == "a CPU, 4 cores, 2 threads, torch 2.9: 186 GFLOP/s in fp32, 51.0 GB/s"


@pytest.mark.parametrize("text", ["processor: 0\nmodel name\t: Some CPU @ 3 GHz\n", None])
def test_the_processors_name(monkeypatch, text):
    def read(_):
        if text is None:
            raise FileNotFoundError
        return text

    monkeypatch.setattr(machine.Path, "read_text", read)
    assert machine.cpu_name() == "Some CPU @ 3 GHz" if text else machine.cpu_name()


@pytest.mark.gpu
def test_a_gpu_is_named_and_its_rates_are_measured():
    import torch

    found = machine.measure_machine(side=1024, copied_bytes=2**26)
    assert found.gpu == found.device == torch.cuda.get_device_name()
    assert str(found).startswith(found.gpu)
    assert found.flops_per_s > 1e12
    assert found.bytes_per_s > 1e11
