# How far long work is, and how long it will take: on a terminal one line that is written over, elsewhere a line every
# 15 seconds. Sourced by bash; needs nothing.

progress_interval_seconds=15
progress_is_shown=no
progress_written_at=0
progress_on_terminal=no
[ ! -t 1 ] || [ "${TERM:-dumb}" = dumb ] || progress_on_terminal=yes

# `45 s`, `4 min`, `2 h`.
duration() {
    if [ "$1" -lt 120 ]; then
        printf '%d s' "$1"
    elif [ "$1" -lt 7200 ]; then
        printf '%d min' $((($1 + 30) / 60))
    else
        printf '%d h' $((($1 + 1800) / 3600))
    fi
}

# Shows where the work stands, in the place of what was shown before.
progress() {
    local text="   $*" columns
    if [ "$progress_on_terminal" = yes ]; then
        columns=$( (stty size </dev/tty | cut -d ' ' -f 2) 2>/dev/null || true)
        [ "${columns:-0}" -gt 0 ] || columns=80
        # A line that wraps could not be written over.
        printf '\r\033[K%s' "${text:0:$((columns - 1))}"
    elif [ "$progress_is_shown" = no ] || [ $((SECONDS - progress_written_at)) -ge "$progress_interval_seconds" ]; then
        printf '%s\n' "$text"
        progress_written_at=$SECONDS
    fi
    progress_is_shown=yes
}

# The work is over: the line goes away.
progress_end() {
    [ "$progress_on_terminal$progress_is_shown" != yesyes ] || printf '\r\033[K'
    progress_is_shown=no
}

# Waits for a process that writes to a log and shows meanwhile what `describe LOG SECONDS` makes of it; its status.
# usage: await_with_progress PID LOG DESCRIBE
await_with_progress() {
    local pid=$1 log=$2 describe=$3 begin=$SECONDS status=0
    while kill -0 "$pid" 2>/dev/null; do
        progress "$("$describe" "$log" $((SECONDS - begin)))"
        sleep 0.5
    done
    wait "$pid" || status=$?
    progress_end
    return "$status"
}

# What SwiftPM's output says after so many seconds. Each line is `[steps done/steps known] what`, and each Swift module
# that is compiled makes one more step known. Modules are also what the time goes into, so they make the estimate.
# usage: describe_build LOG SECONDS MODULES, the number of modules that a build from nothing compiles
describe_build() {
    local done known first module compiled text
    read -r done known first compiled module < <(awk -v last=- '
        match($0, /^\[[0-9]+\/[0-9]+\]/) && !/Compiling plugin/ {
            split(substr($0, 2, RLENGTH - 2), counts, "/")
            if (!first) first = counts[2]
            if ($2 == "Compiling" && $NF ~ /\.swift$/ && NF > 3) { compiled++; last = $3 }
        }
        END { print counts[1] + 0, counts[2] + 0, first + 0, compiled + 0, last }' "$1")
    if [ "$known" -le 1 ]; then
        text="looking for what has changed"
        ! grep -q '^Fetching ' "$1" || text="fetching what it depends on"
        printf 'building: %s, %s so far' "$text" "$(duration "$2")"
        return
    fi
    # A build of what has changed compiles some modules only, nobody knows how many.
    if [ "$first" -lt "$3" ] || [ "$compiled" -ge "$3" ]; then
        printf 'building: step %d of %d, %s so far' "$done" "$known" "$(duration "$2")"
        return
    fi
    text="building: step $done of $((known + $3 - compiled))"
    [ "$module" = - ] || text+=" ($module)"
    # The first modules are small: before some are done their time says nothing about the rest.
    [ "$compiled" -lt 3 ] || text+=", about $(duration $(($2 * ($3 - compiled) / compiled))) left"
    printf '%s' "$text"
}

# What apt-get's output says after so many seconds: it reports percents, first of fetching and then of installing.
# usage: describe_packages LOG SECONDS
describe_packages() {
    local percent text=""
    percent=$(awk -F : '
        $1 == "dlstatus" { percent = $3 / 2 }
        $1 == "pmstatus" { percent = 50 + $3 / 2 }
        END { printf "%d", percent }' "$1")
    [ "$percent" -lt 5 ] || text=", about $(duration $(($2 * (100 - percent) / percent))) left"
    printf 'system packages: %d %%%s' "$percent" "$text"
}
