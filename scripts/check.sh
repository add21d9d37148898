#!/bin/sh
# Everything that reads the code without running it; the first fault ends it.
set -eu
cd "$(dirname "$0")/.."
bin=.venv/bin
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TIDEMILL_DATA="$folder"

echo "ruff"
$bin/ruff check --quiet .
$bin/ruff format --quiet --check .
echo "mypy --strict"
$bin/mypy
echo "import rules"
$bin/lint-imports --no-cache >"$folder/imports.txt" || { cat "$folder/imports.txt"; exit 1; }
echo "migrations"
$bin/python manage.py makemigrations --check --dry-run
echo "deployment"
TIDEMILL_PUBLIC_URL=https://mill.example.org \
    $bin/python manage.py check --deploy --fail-level WARNING
