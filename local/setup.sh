#!/bin/sh
# Installs what is missing, quickly when nothing is: sh local/setup.sh run|dev
# run: what `make up` needs; dev: also what tests and linters need.
set -eu
cd "$(dirname "$0")/.."
purpose=$1

usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for python in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14}; do
        if usable "$python"; then
            echo "$python"
            return
        fi
    done
    echo "Python 3.11 or newer is needed: install python3, or set PYTHON to its command." >&2
    return 1
}

make_environment() {
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
        sh local/apt.sh "to make a virtual environment" "$package"
    fi
    echo "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
}

# What pip says is kept in a file: of it are shown what it fetches that is large, and all else only if it fails.
pip_install() {
    log=.venv/pip.log
    { .venv/bin/python -m pip install --disable-pip-version-check --progress-bar off "$@" 2>&1 || echo "pip failed"; } |
        tee "$log" | sed -un 's/^ *Downloading \(.*\) (\([0-9.]* [MG]B\))$/  fetching \1, \2/p'
    if [ "$(tail -n 1 "$log")" = "pip failed" ]; then
        # A warning for each place of its configuration that it looks at in vain would hide the reason.
        grep -v -e '^WARNING: Location ' -e '^pip failed$' "$log" | tail -n 30 >&2
        echo "Failed: pip install $*; all that it said is in $log" >&2
        exit 1
    fi
}

install_project() {
    # PyTorch first and pinned exactly: any wider wish makes pip take a build for graphics cards, of gigabytes.
    torch=$(sed -n 's/.*"\(torch==[0-9.]*\)".*/\1/p' pyproject.toml)
    index=${TORCH_INDEX_URL:-$(sed -n 's/^TORCH_INDEX_URL=//p' .env 2>/dev/null | tail -n 1)}
    if [ -n "$index" ]; then
        echo "Installing $torch from TORCH_INDEX_URL"
        pip_install --no-deps --index-url "$index" "$torch"
    else
        echo "Installing $torch: a CPU build of 0.2 GB where pip finds one, else one for graphics cards, which is 2.7 GB" \
            "to fetch and makes .venv 5.5 GB rather than 1.4 (TORCH_INDEX_URL can name an index of CPU builds)"
        pip_install "$torch"
    fi
    echo "Installing Stagecast with [$1]"
    pip_install -e ".[$1]"
}

usable .venv/bin/python || make_environment

case $purpose in
run) extras=api,parser,embedder,command,local ;;
dev) extras=dev ;;
*)
    echo "usage: $0 run|dev" >&2
    exit 2
    ;;
esac
key=$(sha256sum <pyproject.toml)
stamp=.venv/.installed
if ! { grep -qsxF "$purpose $key" "$stamp" || grep -qsxF "dev $key" "$stamp"; }; then
    install_project "$extras"
    echo "$purpose $key" >"$stamp"
fi

if [ ! -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && ! .venv/bin/python -m local.backing.broker_search; then
    sh local/apt.sh "RabbitMQ, for a private node" rabbitmq-server
fi
if [ "$purpose" = dev ] && [ -n "${WITH_BROWSER:-}" ]; then
    [ -x /usr/bin/chromium ] || sh local/apt.sh "a browser, for the tests of the page" chromium
    command -v curl >/dev/null || sh local/apt.sh "a client of the event stream, for its tests" curl
fi
