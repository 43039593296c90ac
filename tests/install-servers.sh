#!/bin/sh
# The real servers that the tests run against. Installs what is missing when root; says what is missing otherwise.
# The Unleash of the flag tests comes from npm, by its lock file, into the user's cache.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
unleash_lock=$here/support/unleash/package-lock.json

missing=""
command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1 || missing="$missing prometheus"
command -v prometheus-alertmanager >/dev/null 2>&1 && command -v amtool >/dev/null 2>&1 || missing="$missing prometheus-alertmanager"
command -v prometheus-node-exporter >/dev/null 2>&1 || missing="$missing prometheus-node-exporter"
perl -MMonitoring::Plugin::Performance -e1 >/dev/null 2>&1 || missing="$missing libmonitoring-plugin-perl"
command -v tmux >/dev/null 2>&1 || missing="$missing tmux"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
command -v setpriv >/dev/null 2>&1 || missing="$missing util-linux"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
command -v npm >/dev/null 2>&1 || missing="$missing npm"

policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/opsconsole-tests.conf
ours=""
half=""
tidy() {
    # shellcheck disable=SC2086
    rm -rf $ours "$half"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

install_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "The tests need these programs:$missing" >&2
        echo "  On Debian or Ubuntu: sudo apt-get install$missing" >&2
        exit 1
    fi
    echo "Installing for the tests:$missing" >&2
    # The packages would start their servers, and PostgreSQL's would make a database; the tests start their own.
    if [ ! -e "$policy" ]; then
        ours="$ours $policy"
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
    fi
    if [ ! -e "$no_cluster" ]; then
        ours="$ours $no_cluster"
        mkdir -p "$(dirname "$no_cluster")"
        echo "create_main_cluster = false" > "$no_cluster"
    fi
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
}

# Others may install at the same time, or be ended half-way: only a whole folder ever gets the name.
install_unleash() {
    version=$(sha256sum < "$unleash_lock" | cut -c1-12)
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/opsconsole-tests
    unleash=$cache/unleash-$version
    [ ! -d "$unleash" ] || return 0
    major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
    if [ "$major" -lt 18 ]; then
        echo "The tests need Node 18 or 20 for Unleash; this is $(node --version)" >&2
        exit 1
    fi
    echo "Installing Unleash for the tests into $unleash" >&2
    mkdir -p "$cache"
    find "$cache" -maxdepth 1 -name 'half.*' -mmin +60 -exec rm -rf {} +
    half=$(mktemp -d "$cache/half.XXXXXX")
    cp "$here/support/unleash/package.json" "$unleash_lock" "$half"
    (cd "$half" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --no-progress --loglevel=error >/dev/null)
    mv -T "$half" "$unleash" 2>/dev/null || [ -d "$unleash" ]
}

[ -z "$missing" ] || install_packages
install_unleash
