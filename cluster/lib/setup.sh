# Gets a Debian machine with a Swift toolchain ready to build and to run Colony. Each step looks first whether anything
# is missing, says what it does, and does nothing the second time. Sourced after common.sh and progress.sh.

# What a Swift toolchain takes from the system, the headers of C and C++ and a linker: g++ brings them all, if they did
# not come with something else.
toolchain_packages=()
{ command -v ld && ls -d /usr/include/c++/*; } >/dev/null 2>&1 || toolchain_packages=(g++)

# Needed to build.
build_packages=(git libedit-dev libnghttp2-dev libpcre2-dev libssl-dev pkg-config)

# Needed beyond that by the tests: other implementations of HTTP, a browser, and Python for the acceptance tests.
test_packages=(chromium chromium-driver curl libhttp-parser-dev nghttp2-client openssl python3 python3-venv)

environment="$root/.build-venv"

is_installed() {
    [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
}

# Sets $as_root to what a command needs in front of it to run as root: nothing, or sudo, which asks on the terminal for
# a password. Without a terminal nobody can type one: it fails at once then, instead of waiting.
find_root() {
    as_root=()
    [ "$(id -u)" != 0 ] || return 0
    command -v sudo >/dev/null || fail "neither root nor sudo: as root, run 'apt-get install $*'"
    as_root=(sudo)
    [ -t 0 ] || as_root+=(-n)
}

# Installs those of the named Debian packages that are missing.
ensure_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        note "not a Debian system: please install what corresponds to: $*"
        return 0
    fi
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        note "system packages: all there"
        return 0
    fi
    note "system packages: installing ${missing[*]}"
    local as_root log="$run_directory/apt.log" begin=$SECONDS
    find_root "${missing[@]}"
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    progress "system packages: reading what there is"
    if ! "${as_root[@]}" apt-get update -q >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        fail "apt-get could not read the lists of packages"
    fi
    # Not marked as this run's: an installation that is cut short leaves a system that needs repair.
    "${as_root[@]}" apt-get install -q -y --no-install-recommends -o APT::Status-Fd=1 "${missing[@]}" \
        >"$log" 2>&1 </dev/null &
    if ! await_with_progress $! "$log" describe_packages; then
        grep -v '^..status:' "$log" | tail -n 20 >&2
        fail "apt-get could not install ${missing[*]}"
    fi
    note "system packages: installed in $(duration $((SECONDS - begin)))"
}

# A Swift toolchain that can read Package.swift.
ensure_swift() {
    command -v swift >/dev/null ||
        fail "no 'swift' in PATH: install a Swift 6.2 (or later) toolchain, see https://www.swift.org/install/linux"
    local output version
    # What fails here, on a bare system, is most often a library that the toolchain needs: say which.
    output=$(swift --version 2>&1) ||
        fail "'swift' does not run (https://www.swift.org/install/linux lists the packages it needs): $output"
    version=$(sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' <<<"$output" | head -n 1)
    [ -n "$version" ] || fail "'swift --version' says nothing that looks like a version"
    [ "$(printf '%s\n' 6.2 "$version" | sort -V | head -n 1)" = 6.2 ] || fail "Swift $version is too old, 6.2 is needed"
    note "Swift $version"
}

# The Python environment of the acceptance tests, made anew when its requirements change.
ensure_environment() {
    local requirements="$root/Tests/acceptance/requirements.txt" stamp="$environment/.requirements"
    if [ -f "$stamp" ] && cmp -s "$requirements" "$stamp"; then
        note "Python environment: there"
        return 0
    fi
    note "Python environment: making .build-venv"
    local python=/usr/bin/python3 log="$run_directory/pip.log"
    [ -x "$python" ] || python=python3
    if ! { rm -rf "$environment" && "$python" -m venv "$environment" &&
        "$environment/bin/python" -m pip install --quiet --requirement "$requirements"; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        fail "could not make the Python environment"
    fi
    cp "$requirements" "$stamp"
}

# How many Swift modules a build from nothing compiles: ours, and six of the packages that we depend on.
module_count() {
    local directory directories=("$root"/Sources/*/) count=6
    [ $# = 0 ] || directories+=("$root"/Tests/*Tests/)
    for directory in "${directories[@]}"; do
        # The others are C.
        [ -e "$directory/module.modulemap" ] || [ -e "$directory/include" ] || count=$((count + 1))
    done
    printf '%d' "$count"
}

describe_this_build() { describe_build "$1" "$2" "$build_module_count"; }

# Builds in release, with the arguments given (--build-tests or nothing); shows the whole log only if that fails.
build_release() {
    local log="$run_directory/build.log" begin=$SECONDS status=0 build_module_count
    build_module_count=$(module_count "$@")
    note "swift build -c release${1:+ $*} (minutes the first time, seconds later)"
    start_marked swift build --package-path "$root" -c release "$@" >"$log" 2>&1
    await_with_progress $! "$log" describe_this_build || status=$?
    if [ "$status" != 0 ]; then
        grep -E 'error|warning' -A 6 "$log" | head -n 200 >&2 || true
        tail -n 15 "$log" >&2
        fail "the build failed"
    fi
    note "built in $(duration $((SECONDS - begin)))"
}

# Where the executables are.
executables_directory() { printf '%s' "$root/.build/release"; }
