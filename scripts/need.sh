#!/bin/sh
# Make programs available: each argument is program:package. Installs with apt when it may.
set -eu
missing=
for pair in "$@"; do
    program=${pair%%:*}
    command -v "$program" >/dev/null 2>&1 && continue
    case "$program" in
        postgres) ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && continue ;;
        mariadbd) [ -x /usr/sbin/mariadbd ] && continue ;;
        chromium) [ -n "${TIDEMILL_TEST_CHROMIUM:-}" ] && continue ;;
    esac
    missing="$missing ${pair#*:}"
done
[ -z "$missing" ] && exit 0
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"
echo "Installing$missing …"
if command -v apt-get >/dev/null 2>&1 && $as_root true 2>/dev/null; then
    # shellcheck disable=SC2086 # the list is meant to be split
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 && exit 0
    $as_root apt-get update -qq >/dev/null
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null && exit 0
fi
echo "WARNING: these could not be installed:$missing" >&2
echo "         Tests that need them are skipped, loudly. Install them by hand for a full run." >&2
