#!/bin/sh
# Make .venv and fill it with the pinned, hash-checked packages of one set: run or dev.
set -eu
set_name=$1
python=${2:-python3}
cd "$(dirname "$0")/.."

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo "Tidemill needs Python 3.11 or newer as '$python'; set PYTHON=… if it has another name." >&2
    exit 1
}
if [ ! -x .venv/bin/python ]; then
    echo "Making the environment .venv …"
    "$python" -m venv .venv || {
        echo "Python's venv is missing; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    }
fi
if ! .venv/bin/python -m uv --version >/dev/null 2>&1; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r requirements/uv.txt
fi
echo "Installing the packages of requirements/$set_name.txt (about 200 MB to fetch at first) …"
.venv/bin/python -m uv pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes \
    "requirements/$set_name.txt" requirements/uv.txt || {
    echo "uv could not install them; trying pip …" >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r "requirements/$set_name.txt"
}
touch .venv/.ok-run
[ "$set_name" = run ] || touch .venv/.ok-dev
