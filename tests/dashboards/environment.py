"""Runs a script in a virtual environment that has what requirements.txt asks for.

It is made once, in the user's cache directory, and made anew when requirements.txt changes.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def enter():
    """Continues the running script in the environment."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "mishap" / f"dashboards-{digest}"
    if Path(sys.prefix) == folder:
        return
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        if sys.version_info < (3, 11):
            sys.exit("python 3.11 or later is needed")
        print(f"making {folder}, once", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", REQUIREMENTS], check=True)
        complete.touch()
    os.execv(python, [python, *sys.argv])
