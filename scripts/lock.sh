#!/bin/sh
# Renew the pinned requirements; the files carry hashes and no addresses.
set -eu
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate "$@"
}
compile --upgrade pyproject.toml -o requirements/run.txt
compile --upgrade pyproject.toml --group dev -o requirements/dev.txt
echo uv | compile --upgrade - -o requirements/uv.txt
! grep -l "://" requirements/*.txt
