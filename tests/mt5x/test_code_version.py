"""The version of the code changes with what it does, and not with how it is written."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from mt5x.studies import code_version as code_version_module
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


def test_every_module_that_measures_counts():
    counted = {name for name, _ in code_version_module._modules()}
    for stage in ("mt5x.studies.jobs", "analysis.lm_job"):
        assert stage in counted
        # What it imports of the analysis measures, too.
        spec = importlib.util.find_spec(stage)
        assert spec is not None
        assert spec.origin is not None
        text = Path(spec.origin).read_text(encoding="utf-8")
        of_analysis = re.findall(r"^from (analysis\.\w+) import", text, re.MULTILINE)
        assert set(of_analysis) <= counted
    assert "mt5x.studies.runner" not in counted
    assert "mt5x.train_loop" in counted
