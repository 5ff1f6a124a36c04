"""Start-up notes of native code are held back; nothing else is."""

import subprocess
import sys
import textwrap
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

NOISY = textwrap.dedent(
    """
    import os
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called ...\\n")
    os.write(2, b"I0000 00:00:1.2  1 port.cc:153] custom operations are on.\\n")
    os.write(2, b"E0000 00:00:1.2  1 port.cc:154] something is wrong\\n")
    """
)


def python(folder: Path, program: str) -> subprocess.CompletedProcess:
    (folder / "noisy.py").write_text(NOISY)
    (folder / "broken.py").write_text(NOISY + "raise ImportError('no such library')\n")
    program = f"from scripts.quiet_import import import_quietly\nimport sys, os\n{program}"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{REPOSITORY}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_notes_are_held_back_and_errors_are_shown(tmp_path):
    done = python(tmp_path, "import_quietly('noisy')\nimport noisy\nos.write(2, b'after\\n')")
    assert done.stderr == "E0000 00:00:1.2  1 port.cc:154] something is wrong\nafter\n"


def test_a_failing_import_fails_as_it_would(tmp_path):
    done = python(tmp_path, "import_quietly('broken')\nimport broken")
    assert done.returncode == 1
    assert "something is wrong" in done.stderr
    assert "ImportError: no such library" in done.stderr


def test_a_missing_module_is_missing_and_others_are_untouched(tmp_path):
    done = python(
        tmp_path,
        "import_quietly('absent')\nimport noisy\n"
        "try:\n    import absent\nexcept ModuleNotFoundError as error:\n    print(error)",
    )
    assert done.stdout == "No module named 'absent'\n"
    assert "custom operations" in done.stderr
