"""The version of the code changes with what it does, and not with how it is written."""

import subprocess
import sys

from mt5x.studies.code_version import code_version, meaning

CODE = '''"""A module."""

def area(width, height):
    """Returns it."""
    return width * height
'''


def test_words_and_layout_do_not_count():
    assert meaning(CODE.replace("A module.", "Another.")) == meaning(CODE)
    assert meaning(CODE.replace("Returns it.", "It.\n\n    More.")) == meaning(CODE)
    assert meaning(CODE.replace("    return", "    # Plain.\n\n    return")) == meaning(CODE)


def test_what_is_computed_counts():
    assert meaning(CODE.replace("width * height", "width + height")) != meaning(CODE)
    assert meaning(CODE.replace("width, height", "width, height=1")) != meaning(CODE)


def test_it_is_the_same_in_every_process():
    again = subprocess.run(
        [
            sys.executable,
            "-c",
            "from mt5x.studies.code_version import code_version; print(code_version())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert again.stdout.strip() == code_version()
