from pathlib import Path

import pytest

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
