"""How soon a cancel frees everything: processes, scratch folder, running rows; state by state."""

import os
from pathlib import Path

ROUNDS = 5
ODD = Path(__file__).parent.parent / "tests" / "odd"


def main() -> dict[str, float]:
    """Print the seconds from a cancel's commit until nothing of the job is left, by its state."""
    os.environ["TIDEMILL_OPERATIONS_PATH"] = str(ODD)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ODD), os.environ.get("PYTHONPATH", "")])
    return {}


if __name__ == "__main__":
    main()
