# Sourced by scripts/test: installs the clients that the tests run.

# The Debian packages among them, besides what a test of another kind needs.
need_client_packages() {
    need_commands s3cmd=s3cmd tmux=tmux curl=curl wget=wget rclone=rclone python3=python3 node=nodejs npm=npm
    # Version 2; version 1 comes from PyPI.
    [[ -x /usr/bin/aws ]] || install_packages awscli
}

# need_environments NAME...: virtual environments, made again when what they should hold has changed.
need_environments() {
    local name
    for name; do
        need_environment "$name" python3
    done
}

# PyTorch as Debian has it: PyPI's for Linux takes gigabytes of libraries for graphics processors along.
need_debian_torch() {
    [[ -d /usr/lib/python3/dist-packages/torch ]] || install_packages python3-torch
    need_environment debian-torch /usr/bin/python3 --system-site-packages
}

# need_environment NAME PYTHON [FLAG...]: one of them, with an interpreter and flags of its module venv.
need_environment() {
    local name=$1 python=$2
    local directory=$root/.venv/$name requirements=$root/tests/requirements/$name.txt
    shift 2
    if cmp --silent "$requirements" "$directory/installed.txt"; then
        return
    fi
    # Debian's python3 has the module but not what it needs to fill an environment.
    "$python" -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
    echo "Installing: the Python clients of tests/requirements/$name.txt" >&2
    "$python" -m venv --clear "$@" "$directory"
    "$directory/bin/pip" install --quiet --disable-pip-version-check --no-input --requirement "$requirements"
    cp "$requirements" "$directory/installed.txt"
}

need_javascript_client() {
    local directory=$root/tests/clients/javascript
    if ! cmp --silent "$directory/package-lock.json" "$directory/node_modules/installed.json"; then
        echo "Installing: the JavaScript client of tests/clients/javascript" >&2
        npm ci --prefix "$directory" --no-audit --no-fund --loglevel=error >&2
        cp "$directory/package-lock.json" "$directory/node_modules/installed.json"
    fi
}
