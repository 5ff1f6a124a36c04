"""Has the arrays of a command lie in huge pages, where Linux gives them to who asks.

XLA takes the memory of a step anew at each step, and on a CPU a page of 4 KiB is given with an
interrupt: a quarter of a million for a gigabyte. glibc asks for pages of 2 MiB if it is told to
before the program begins (its manual, "Memory Allocation Tunables"; from glibc 2.35 on).
"""

import os
import sys
from pathlib import Path

_VARIABLE = "GLIBC_TUNABLES"
_TUNABLE = "glibc.malloc.hugetlb=1"
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def restart_with_huge_pages() -> None:
    """Begins this program again with the tunable; returns where that is done, or is of no use.

    Whoever has tunables of their own keeps them as they are.
    """
    if _VARIABLE in os.environ or not _given_to_who_asks():
        return
    os.environ[_VARIABLE] = _TUNABLE
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(sys.executable, sys.orig_argv)
    except OSError:
        # It goes on as it is.
        return


def _given_to_who_asks() -> bool:
    try:
        return "[madvise]" in _SETTING.read_text(encoding="ascii")
    except OSError:
        return False
