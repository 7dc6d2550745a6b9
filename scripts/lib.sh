# Shared by the scripts of this folder; sourced, not run.

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
    # A new machine has no package lists yet.
    if "${apt[@]}" update >"$log" 2>&1 && "${apt[@]}" install --yes --no-install-recommends "$@" >>"$log" 2>&1; then
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
