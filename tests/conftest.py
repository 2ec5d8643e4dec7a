import os
import resource
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores: threads of each would stand in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_ct():
    """A folder of real CT in the LiTS layout, which lies beside the clone on some machines."""
    folder = SHARED / "lits"
    if not folder.is_dir():
        pytest.skip("the real CT is not part of the project and not on this machine")
    return folder


@pytest.fixture(scope="session")
def smoke_demo(tmp_path_factory):
    """The workspace of a finished smoke demo; tests read it and write elsewhere."""
    from lits_toolkit.demo import open_workspace

    return open_workspace(tmp_path_factory.mktemp("demo") / "workspace", smoke=True)


@pytest.fixture
def small_disk():
    """No file may grow beyond a thousand bytes: the system refuses as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
