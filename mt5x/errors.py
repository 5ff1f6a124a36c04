"""Errors for the person at the keyboard: one sentence, exit code 2, no traceback.

The command line prints a `UserError`'s message as it is, so the message names what was expected,
what came, and what to do next. Anything else that escapes is a defect of ours and keeps its
traceback.
"""

import difflib
from collections.abc import Iterable


def said(error: BaseException) -> str:
    """What an error says, without the call sites that gin appends to what passes through it."""
    return str(error).split("\n  In call to configurable ")[0].strip()


class UserError(Exception):
    """Something the user can put right; the message is the whole explanation."""


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> str:
    """Returns a half-sentence that offers the names most like `name`, or '' if none is near.

    >>> nearest('panx_zeroshoot', ['panx_zeroshot', 'xnli_zeroshot'], count=1)
    '; did you mean panx_zeroshot?'
    """
    near = difflib.get_close_matches(name, list(candidates), n=count, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
