#!/bin/sh
# The real servers that the tests run against. Installs what is missing when root; says what is missing otherwise.
set -eu
missing=""
command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
command -v prometheus-alertmanager >/dev/null 2>&1 && command -v amtool >/dev/null 2>&1 || missing="$missing prometheus-alertmanager"
command -v prometheus-node-exporter >/dev/null 2>&1 || missing="$missing prometheus-node-exporter"
perl -MMonitoring::Plugin::Performance -e1 >/dev/null 2>&1 || missing="$missing libmonitoring-plugin-perl"
command -v tmux >/dev/null 2>&1 || missing="$missing tmux"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need these programs:$missing" >&2
    echo "  On Debian or Ubuntu: sudo apt-get install$missing" >&2
    exit 1
fi
echo "Installing for the tests:$missing" >&2
# The packages would start their servers; the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
