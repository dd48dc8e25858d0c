# Sourced by the other scripts: installs Debian packages for commands that are missing, and only those.

# need_commands COMMAND=PACKAGE...
need_commands() {
    local missing=() pair
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    if ((${#missing[@]})); then
        install_packages "${missing[@]}"
    fi
}

# install_packages PACKAGE...
install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "error: please install: $* (this machine has no apt-get)" >&2
        exit 1
    fi
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        if ! command -v sudo >/dev/null; then
            echo "error: please install as root: apt-get install $*" >&2
            exit 1
        fi
        as_root=(sudo)
    fi
    echo "Installing: $*" >&2
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends)
    # The package lists of a fresh machine may be empty or old; update them only then.
    "${install[@]}" "$@" </dev/null >&2 || {
        "${as_root[@]}" apt-get update </dev/null >&2
        "${install[@]}" "$@" </dev/null >&2
    }
}

# What building needs besides Rust: a C compiler, and git, which a dependency's build script calls.
need_build_tools() {
    need_commands cc=gcc git=git
    if ! echo '#include <stdlib.h>' | cc -E - >/dev/null 2>&1; then
        install_packages libc6-dev
    fi
    if ! command -v cargo >/dev/null && [[ -f "$HOME/.cargo/env" ]]; then
        # shellcheck source=/dev/null
        source "$HOME/.cargo/env"
    fi
    if ! command -v cargo >/dev/null; then
        echo "error: Rust is missing; install it with" >&2
        echo "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" >&2
        echo "and run this again" >&2
        exit 1
    fi
}
