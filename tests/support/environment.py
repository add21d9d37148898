"""The environment of a test run: its own data folder, nothing of the developer's settings."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

KEPT = ("TIDEMILL_SOAK", "TIDEMILL_FFMPEG", "TIDEMILL_STORM_ROUNDS", "TIDEMILL_STORM_SEED")
FOREIGN = ("DATABASE_URL", "DJANGO_SECRET_KEY", "DJANGO_DEBUG", "Q_CLUSTER_NAME")


def isolate() -> Path:
    """Point the settings at a fresh data folder that goes away with this process."""
    for name in [name for name in os.environ if name.startswith("TIDEMILL_")]:
        if name not in KEPT:
            del os.environ[name]
    for name in FOREIGN:
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="tidemill-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["TIDEMILL_DATA"] = str(folder / "data")
    os.environ["TIDEMILL_RUN_DIR"] = str(folder / "run")
    # Tests send the same few files again and again and want each worked on; some ask for it.
    os.environ["TIDEMILL_REUSE"] = "0"
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    return folder
