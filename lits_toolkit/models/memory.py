"""Memory of large activations on the CPU."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_large_allocations() -> bool:
    """Tell glibc to keep freed memory instead of returning it to the system; True where that was done.

    By default every large activation is mapped afresh in each layer, and the page faults make torch's eager mode
    on a CPU 1.3 to 2.4 times slower. Elsewhere than on Linux with glibc it does nothing.
    """
    libc = _glibc()
    return bool(libc and libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def return_allocations() -> bool:
    """Return what is kept to the system, between cases; True where that was done.

    joblib ends a process that has grown by 300 MB since its first case, and with it the opened models.
    """
    libc = _glibc()
    return bool(libc and libc.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL("libc.so.6") if sys.platform.startswith("linux") else None
        return libc if libc is not None and libc.mallopt and libc.malloc_trim else None
    except (OSError, AttributeError):
        return None
