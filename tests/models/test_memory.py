import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np, psutil
from lits_toolkit.models.memory import keep_large_allocations, return_allocations
assert keep_large_allocations()
large = [np.ones(1_000_000) for _ in range(10)]  # 80 MB
behind = np.ones(10)
full = psutil.Process().memory_info().rss
del large
kept = psutil.Process().memory_info().rss
assert return_allocations()
print(full - kept, kept - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_large_allocations_are_kept_until_they_are_returned():
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    at_once, returned = map(int, done.stdout.split())
    assert at_once < 10e6
    assert returned > 70e6
