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

install_project() {
    # PyTorch first and pinned exactly: any wider wish makes pip take a build for graphics cards, of gigabytes.
    torch=$(sed -n 's/.*"\(torch==[0-9.]*\)".*/\1/p' pyproject.toml)
    echo "Installing $torch"
    .venv/bin/python -m pip install -q --disable-pip-version-check "$torch"
    echo "Installing Stagecast with [$1]"
    .venv/bin/python -m pip install -q --disable-pip-version-check -e ".[$1]"
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

if [ ! -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && ! .venv/bin/python -m local.broker_search; then
    sh local/apt.sh "RabbitMQ, for a private node" rabbitmq-server
fi
if [ "$purpose" = dev ] && [ -n "${WITH_BROWSER:-}" ]; then
    [ -x /usr/bin/chromium ] || sh local/apt.sh "a browser, for the tests of the page" chromium
    command -v curl >/dev/null || sh local/apt.sh "a client of the event stream, for its tests" curl
fi
