"""Whether public data can be fetched at all, answered in seconds and asked once.

Without a network the cloud libraries retry for minutes before they give up; a person waits for
nothing. So everything that would download asks here first.
"""

import functools
import threading
import urllib.error
import urllib.request

# Where TFDS and the T5 family keep their public files.
_PROBE = "https://storage.googleapis.com/"
_PATIENCE_SECONDS = 4.0


@functools.cache
def reachable() -> bool:
    """Returns whether the public storage answers within a few seconds (through a proxy, too)."""
    answered = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(_PROBE, timeout=_PATIENCE_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # An answer, if not a page.
        except Exception:
            return
        answered.set()

    # A thread, because looking up a name has no time limit of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_PATIENCE_SECONDS + 1)
    return answered.is_set()
