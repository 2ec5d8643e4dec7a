"""Memory of large activations on the CPU."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_large_allocations() -> bool:
    """Tell glibc to keep freed memory instead of returning it to the system; True where that was done.

    By default every large activation is mapped afresh in each layer, and the page faults make torch's eager mode
    on a CPU 1.3 to 2.4 times slower. Elsewhere than on Linux with glibc it does nothing.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
