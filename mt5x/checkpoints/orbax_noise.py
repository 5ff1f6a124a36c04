"""What Orbax's writer leaves behind when it fails, kept from the terminal.

When one of its concurrent writes fails, Orbax closes its event loop under the others. Each of them
then reports, whenever it comes to its end, that the loop is closed, and Python reports the failures
that nobody waited for. The first failure is raised and told; these say nothing more.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def only_the_first_failure() -> Iterator[None]:
    """Inside, and after an error for good, drops the reports of writes whose loop is closed."""
    asyncio, hook = logging.getLogger("asyncio"), sys.unraisablehook
    level = asyncio.level

    def drop_closed_loops(report: Any) -> None:
        if not _is_closed_loop(report.exc_value):
            hook(report)

    asyncio.setLevel(logging.CRITICAL)
    sys.unraisablehook = drop_closed_loops
    yield
    asyncio.setLevel(level)
    if sys.unraisablehook is drop_closed_loops:
        sys.unraisablehook = hook


def _is_closed_loop(error: BaseException | None) -> bool:
    return isinstance(error, RuntimeError) and "Event loop is closed" in str(error)
