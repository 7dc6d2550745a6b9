# Shared by the scripts of this folder; sourced, not run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
NEXTEST_VERSION=0.9.143

# Where scripts/tools puts what it has to build.
export PATH="$PATH:$ROOT/.tools/cargo-nextest-$NEXTEST_VERSION/bin"

say() { echo "makima: $*" >&2; }

# install_packages WHAT PACKAGE…: installs Debian packages where that needs no password, else says what to install.
install_packages() {
    local what=$1
    shift
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
    if [ "$(id -u)" != 0 ]; then
        apt=(sudo -n "${apt[@]}")
    fi
    if ! command -v apt-get >/dev/null || { [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; }; then
        say "missing: $what. Install it (Debian and Ubuntu: sudo apt-get install $*), then try again."
        return 1
    fi
    say "installing $what: $*"
    local log
    log=$(mktemp)
    # A new machine has no package lists yet. A source that can't be reached is no matter if the others have the package.
    "${apt[@]}" update >"$log" 2>&1 || true
    if "${apt[@]}" install --yes --no-install-recommends "$@" >>"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    cat "$log" >&2
    rm -f "$log"
    say "could not install $what (apt-get install $*): see above."
    return 1
}

# at_least HAVE WANT: whether version HAVE is WANT or newer.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# stage NAME COMMAND…: runs a command, says how long it took, and ends the script if it fails.
stage() {
    local name=$1 started=$SECONDS status=0
    shift
    echo "== $name"
    "$@" || status=$?
    STAGES+=("$(printf '%5ds  %s' $((SECONDS - started)) "$name")")
    if [ "$status" != 0 ]; then
        stages
        say "failed: $name (exit code $status)"
        exit "$status"
    fi
}
STAGES=()

# stages: prints what each stage took.
stages() {
    echo "== stages"
    printf '%s\n' "${STAGES[@]}"
    printf '%5ds  in all\n' "$SECONDS"
}

# What the project is built with. Each says exactly what is missing, and installs it where it may.

need_rust() {
    local want have
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
    if ! command -v cargo >/dev/null; then
        # rustup's folder is on no PATH until the next login.
        export PATH="$HOME/.cargo/bin:$PATH"
    fi
    have=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || true
    [ -n "$have" ] || { say "missing: Rust $want or newer, with cargo. Install it with rustup (https://rustup.rs), then try again."; return 1; }
    at_least "$have" "$want" || { say "Rust $have is too old: $want or newer is needed (rustup update stable)."; return 1; }
}

# Some dependencies are C (SQLite, zstd, ring).
need_c_compiler() {
    command -v cc >/dev/null || install_packages "a C compiler, which some dependencies are built with" gcc libc6-dev
}

need_git() {
    local have
    command -v git >/dev/null || install_packages "git" git || return 1
    have=$(git --version | cut -d ' ' -f 3)
    at_least "$have" 2.38 || { say "git $have is too old: 2.38 or newer is needed."; return 1; }
}

# Some repositories keep their large files by it.
need_git_lfs() {
    command -v git-lfs >/dev/null || install_packages "Git LFS, which repositories with large files are tested with" git-lfs
}

need_node() {
    local have
    have=$(node --version 2>/dev/null) || true
    [ -n "$have" ] && command -v npm >/dev/null || { say "missing: Node.js 20 or newer, with npm. Install it, then try again."; return 1; }
    at_least "${have#v}" 20 || { say "Node.js $have is too old: 20 or newer is needed."; return 1; }
}

# web_packages: puts the packages of web/ there as its lock file has them, where they aren't.
web_packages() {
    local web="$ROOT/web" want log
    want=$(cat "$web/package-lock.json" "$web/.npmrc" | cksum)
    if [ "$(cat "$web/node_modules/.lock" 2>/dev/null)" = "$want" ]; then
        return 0
    fi
    say "fetching the web UI's packages"
    log=$(mktemp)
    if ! (cd "$web" && npm ci --loglevel=error --no-progress >"$log" 2>&1); then
        cat "$log" >&2
        rm -f "$log"
        say "could not fetch the web UI's packages from npm's registry: see above."
        return 1
    fi
    rm -f "$log"
    echo "$want" >"$web/node_modules/.lock"
}

# What the pages are tested in; named by MAKIMA_TEST_CHROMIUM where it is not Debian's.
need_chromium() {
    [ -n "${MAKIMA_TEST_CHROMIUM:-}" ] || command -v chromium >/dev/null \
        || install_packages "Chromium, which the web UI is tested in" chromium fonts-liberation fonts-dejavu-core
}

# What the API is held against its description with is written in Python. Debian has the module that makes environments apart.
need_python() {
    python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
        || install_packages "Python 3.10 or newer, which schemathesis is written in" python3 python3-venv || return 1
    python3 -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' \
        || { say "Python is too old, or lacks its module venv: 3.10 or newer is needed."; return 1; }
}
