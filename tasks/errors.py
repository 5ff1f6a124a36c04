"""The one error that the rooms of data raise for the person at the keyboard."""

import difflib
from collections.abc import Iterable


class DataError(Exception):
    """Data is absent, malformed or does not fit; the message is the whole explanation.

    The command line prints the message as it is and exits with code 2, so it names the data set
    or file (and line), what was expected, what came, and what to do.
    """


def nearest(name: str, candidates: Iterable[str], append: object = "", cutoff: float = 0.5) -> str:
    """Returns a half-sentence that offers the candidates most like `name`, or ''.

    >>> nearest("panx_zeroshoot", ["panx_zeroshot"], append=":n10")
    '; did you mean panx_zeroshot:n10?'
    """
    near = difflib.get_close_matches(name, list(candidates), n=3, cutoff=cutoff)
    return f"; did you mean {' or '.join(f'{one}{append}' for one in near)}?" if near else ""
