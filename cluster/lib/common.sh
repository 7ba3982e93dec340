# What cluster/demo and cluster/test share: messages, temporary files, and processes that never outlive the script.
# Sourced by bash with `set -euo pipefail`; the caller sets nothing before.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Everything temporary of one run lies here and goes away with it.
run_directory=$(mktemp -d "${TMPDIR:-/tmp}/colony.XXXXXXXX")

# Every process that a script starts carries this mark in its environment, and so do its children, wherever they put
# themselves: that is how survivors are found, without ever touching a process of somebody else.
run_mark="CLUSTER_RUN_MARK=${run_directory##*/}"

say() { printf '\n== %s\n' "$*"; }

note() { printf '   %s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# The pids of processes of this run that are still alive (zombies have an empty environment and do not count).
survivors() {
    local file
    for file in /proc/[0-9]*/environ; do
        if grep -qszF -- "$run_mark" "$file" 2>/dev/null; then
            file=${file#/proc/}
            printf '%s\n' "${file%/environ}"
        fi
    done
}

# One line for each of the pids: the pid and its command.
describe() {
    local pid
    for pid in "$@"; do
        printf '     %s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-140)"
    done
}

# Ends what is left of this run: asks first, insists after three seconds.
end_survivors() {
    local pids attempt
    pids=$(survivors)
    [ -n "$pids" ] || return 0
    kill -TERM $pids 2>/dev/null || true
    for attempt in $(seq 30); do
        pids=$(survivors)
        [ -n "$pids" ] || return 0
        sleep 0.1
    done
    kill -KILL $pids 2>/dev/null || true
}

clean_up() {
    local status=$?
    trap - EXIT INT TERM HUP
    end_survivors
    rm -rf "$run_directory"
    exit "$status"
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Starts a command with the mark and without standard input, as a job of its own; its pid is in $!. Job control is on
# for that moment only: without it bash would start the command with SIGINT ignored, and everything below it likewise.
start_marked() {
    set -m
    env "$run_mark" "$@" </dev/null &
    set +m
}

# Runs a command as above until it ends. A job all the same, because bash handles a signal at once only while it waits;
# the command gets its own through clean_up.
run_marked() {
    local status=0
    start_marked "$@"
    wait $! || status=$?
    return "$status"
}
