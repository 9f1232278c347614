#!/bin/sh
# Installs what the demo or the tests need beside npm's packages. Does nothing where all of it is there.
#   install.sh demo    uWSGI and Django: from Debian, or else into a virtualenv in .cache/
#   install.sh tests   the above, the servers and load generators that the tests and the benchmark run against, and Go where
#                      Debian's is new enough
# Starts no service: Debian's packages would, so they are told not to while this script installs them.
# The lists of packages are meant to be split into words.
# shellcheck disable=SC2086
set -eu
cd "$(dirname "$0")/../.."

# libjs-jquery is only recommended by Debian's Django, but its admin site cannot be collected without it.
DEMO_PACKAGES="python3 uwsgi-core uwsgi-plugin-python3 python3-django libjs-jquery"
TEST_PACKAGES="nginx-light apache2-bin wrk nghttp2-client curl iproute2 openssl"
# What builds the cluster suites' programs: the version that test/cluster/tools asks for.
GO_MODULE=test/cluster/tools/kubernetes/go.mod
VENV=.cache/venv

purpose=${1:?usage: install.sh demo|tests}

is_debian() { command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; }

missing_packages() {
    for package in "$@"; do
        status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
        [ "$status" = "install ok installed" ] || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }; }

# invoke-rc.d asks this file before it starts a service; 101 means "not allowed".
POLICY=/usr/sbin/policy-rc.d
policy_is_ours=no
forbid_service_starts() {
    [ -e "$POLICY" ] && return
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
    policy_is_ours=yes
}
allow_service_starts() {
    [ "$policy_is_ours" = no ] || as_root rm -f "$POLICY"
    policy_is_ours=no
}

apt_install() {
    echo "Installing Debian packages: $*"
    trap allow_service_starts EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    forbid_service_starts
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" </dev/null >/dev/null
    allow_service_starts
    trap - EXIT INT TERM
    # Not at the next boot either, if it is we who brought it.
    case " $* " in
    *" nginx-light "*) if [ -d /run/systemd/system ]; then as_root systemctl disable nginx.service || true; fi ;;
    esac
}

install_virtualenv() {
    "$VENV/bin/python" -c 'import django' 2>/dev/null && [ -x "$VENV/bin/uwsgi" ] && return
    echo "Installing Django and uWSGI into $VENV"
    if ! python3 -m venv "$VENV" || ! "$VENV/bin/pip" install -q django pyuwsgi; then
        echo "Cannot make a virtualenv with Django and uWSGI: it takes python3 with its venv module, and PyPI." >&2
        echo "On Debian, this instead: apt install $DEMO_PACKAGES" >&2
        return 1
    fi
}

install_debian() {
    missing=$(missing_packages "$@")
    [ -z "$missing" ] && return
    apt_install $missing
}

if is_debian && { [ -z "$(missing_packages $DEMO_PACKAGES)" ] || can_be_root; }; then
    install_debian $DEMO_PACKAGES
else
    install_virtualenv
fi
[ "$purpose" = tests ] || exit 0

if ! is_debian; then
    echo "Not a Debian machine: suites whose real servers ($TEST_PACKAGES) are missing will be skipped."
elif [ -n "$(missing_packages $TEST_PACKAGES)" ] && ! can_be_root; then
    echo "No right to install $(missing_packages $TEST_PACKAGES): the suites that need them will be skipped."
else
    install_debian $TEST_PACKAGES
fi

# Go is asked for by no suite directly: without it, test/cluster/tools/build.ts says what to do.
install_go() {
    if command -v go >/dev/null 2>&1 || [ -x /usr/local/go/bin/go ]; then return; fi
    if ! is_debian || ! can_be_root; then return; fi
    wanted=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' "$GO_MODULE")
    offered=$(LC_ALL=C apt-cache policy golang-go | sed -n 's/^ *Candidate: \([0-9].*\)/\1/p')
    if [ -n "$offered" ] && dpkg --compare-versions "$offered" ge "2:$wanted"; then apt_install golang-go; fi
}

install_go
