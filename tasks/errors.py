"""The one error that the rooms of data raise for the person at the keyboard."""


class DataError(Exception):
    """Data is absent, malformed or does not fit; the message is the whole explanation.

    The command line prints the message as it is and exits with code 2, so it names the data set
    or file (and line), what was expected, what came, and what to do.
    """
