#!/bin/sh
# Installs Debian packages: sh local/apt.sh REASON PACKAGE...
# No daemon is started or enabled by it: a private RabbitMQ is what the project runs, not the system's own.
set -eu
reason=$1
shift

if ! command -v apt-get >/dev/null; then
    echo "Missing: $* ($reason). This system has no apt-get: install what corresponds, then try again." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        exec sudo sh "$0" "$reason" "$@"
    fi
    echo "Missing: $* ($reason). Installing needs root or sudo: ask for 'apt-get install $*', then try again." >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
trap 'rm -f "$log" ${made_policy:+"$policy"}' EXIT
trap 'exit 130' INT TERM HUP

quietly() {
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 20 "$log" >&2
        echo "Failed: $*" >&2
        exit 1
    }
}

if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mmin -60 2>/dev/null | head -n 1)" ]; then
    echo "Reading the lists of Debian's packages"
    quietly apt-get update -qq
fi

echo "Installing $* ($reason)"
if [ ! -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
quietly apt-get install -y -qq --no-install-recommends "$@"

case " $* " in
*" rabbitmq-server "*)
    # Installing enables it; it would start with the machine and then be taken for the person's own broker.
    if command -v systemctl >/dev/null; then
        systemctl disable --quiet rabbitmq-server.service epmd.service epmd.socket >/dev/null 2>&1 || true
    elif command -v update-rc.d >/dev/null; then
        update-rc.d rabbitmq-server disable >/dev/null 2>&1 || true
    fi
    ;;
esac
