# Sourced by scripts/test: installs the clients that the tests run.

# The Debian packages among them, besides what a test of another kind needs.
need_client_packages() {
    need_commands s3cmd=s3cmd curl=curl wget=wget rclone=rclone python3=python3 node=nodejs npm=npm
    # Version 2; version 1 comes from PyPI.
    [[ -x /usr/bin/aws ]] || install_packages awscli
}

# need_environments NAME...: virtual environments, made again when what they should hold has changed.
need_environments() {
    # Debian's python3 has the module but not what it needs to fill an environment.
    python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
    local name directory requirements
    for name; do
        directory=$root/.venv/$name
        requirements=$root/tests/requirements/$name.txt
        if cmp --silent "$requirements" "$directory/installed.txt"; then
            continue
        fi
        echo "Installing: the Python clients of tests/requirements/$name.txt" >&2
        python3 -m venv --clear "$directory"
        "$directory/bin/pip" install --quiet --disable-pip-version-check --no-input --requirement "$requirements"
        cp "$requirements" "$directory/installed.txt"
    done
}

need_javascript_client() {
    local directory=$root/tests/clients/javascript
    if ! cmp --silent "$directory/package-lock.json" "$directory/node_modules/installed.json"; then
        echo "Installing: the JavaScript client of tests/clients/javascript" >&2
        npm ci --prefix "$directory" --no-audit --no-fund --loglevel=error >&2
        cp "$directory/package-lock.json" "$directory/node_modules/installed.json"
    fi
}
