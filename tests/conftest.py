import os
import resource
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: threads of each would stand in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", "1")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would its tests

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

GPU = "gpu"


def pytest_configure(config):
    if config.option.markexpr != GPU:  # what is the same bit for bit on the processor is not on a GPU
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_runtest_setup(item):
    if item.get_closest_marker(GPU):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU, and `python -m pytest -m gpu`")


SHARED = Path(__file__).parents[2] / "shared" / "data"
NO_REAL_CT = "the real CT is not part of the project and not on this machine"


@pytest.fixture(scope="session")
def real_ct():
    """A folder of real CT in the LiTS layout, which lies beside the clone on some machines."""
    folder = SHARED / "lits"
    if not folder.is_dir():
        pytest.skip(NO_REAL_CT)
    return folder


@pytest.fixture(scope="session")
def smoke_demo(tmp_path_factory):
    """The workspace of a finished smoke demo; tests read it and write elsewhere."""
    from lits_toolkit.demo import open_workspace

    return open_workspace(tmp_path_factory.mktemp("demo") / "workspace", smoke=True)


@pytest.fixture
def small_disk():
    """`with small_disk():` no file may grow beyond so many bytes: the system refuses as it does on a full disk."""

    @contextmanager
    def limited(most=1000):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
