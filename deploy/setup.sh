# Sourced by up, down, demo and kafka/fetch: a local set-up is a folder (BGOP_HOME) and the processes it names.
#   $home/pids       "name pid" of each real process: kafka, redis, coordinator-1, worker-1, ...
#   $home/settings   ports and configuration file, for --restart
#   $home/env        for people and programs to source
#   $home/log/NAME.log, $home/kafka, $home/redis
# shellcheck shell=bash

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=${BGOP_HOME:-~/.bgop}
programs=${BGOP_BIN:-$repository/build/release/bin}

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# ---- waiting ----

# wait_until SECONDS COMMAND...: true as soon as the command is, false when the time is up.
wait_until() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
        sleep 0.05
    done
}

port_open() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port that nobody listens on, nor on the one above it; below those that the kernel gives out.
free_port() {
    local port
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 12000))
        if ! port_open "$port" && ! port_open "$((port + 1))"; then
            echo "$port"
            return
        fi
    done
    die "found no free port"
}

# ---- processes ----

# What must be in the command line of a process of that name: a pid from before a reboot may by now
# belong to somebody else.
program_of() {
    case $1 in
    kafka) echo kafka ;;
    redis) echo redis-server ;;
    coordinator-*) echo bgop-coordinator ;;
    worker-*) echo bgop-worker ;;
    dev) echo bgop ;;
    web) echo web_server.py ;;
    esac
}

# A zombie is gone: nobody may be there to reap what this shell has left behind.
pid_alive() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
    [ -n "$state" ] && [ "$state" != Z ] && [ "$state" != X ]
}

pid_of() { sed -n "s/^$1 //p" "$home/pids" 2>/dev/null || true; }

running() {
    local pid
    pid=$(pid_of "$1")
    [ -n "$pid" ] && pid_alive "$pid" && grep -qaF "$(program_of "$1")" "/proc/$pid/cmdline" 2>/dev/null
}

forget() {
    [ ! -e "$home/pids" ] || sed -i "/^$1 /d" "$home/pids"
}

names() { cut -d' ' -f1 "$home/pids" 2>/dev/null || true; }

declare -A log_from     # where in its log a process that we launched begins

# launch NAME COMMAND...: in a session of its own, so that it outlives this shell and its terminal.
# setsid replaces itself, and so do the scripts behind it: $! is the pid of the program. Until that has
# happened it would not be known by its command line.
launch() {
    local name=$1
    shift
    log_from[$name]=$(($(stat -c %s "$home/log/$name.log" 2>/dev/null || echo 0) + 1))
    setsid "$@" </dev/null >>"$home/log/$name.log" 2>&1 &
    forget "$name"
    echo "$name $!" >>"$home/pids"
    launched+=("$name")
    wait_until 5 known_or_dead "$name" $! || true
}

known_or_dead() { running "$1" || ! pid_alive "$2"; }

# ready NAME SECONDS WHAT COMMAND...: waits for the command; shows the log when NAME dies or time is up.
# With $patient set, one that lives on is left to it when the time is up.
ready() {
    local name=$1 seconds=$2 what=$3
    shift 3
    probe_or_dead() { "$@" || ! running "$name"; }
    if ! wait_until "$seconds" probe_or_dead "$@"; then
        [ -z "${patient:-}" ] || { say "$name runs, but $what has not come within $seconds s"; return 0; }
        failed "$name" "$what did not come within $seconds s"
    elif ! running "$name"; then
        failed "$name" "it ended"
    fi
}

failed() {
    say "---- the last lines of $home/log/$1.log"
    tail -n 20 "$home/log/$1.log" >&2 || true
    if [ "$1" = kafka ] && [ -s "$home/log/kafka-server.log" ]; then
        say "---- the last lines of $home/log/kafka-server.log"
        tail -n 20 "$home/log/kafka-server.log" >&2
    fi
    say "----"
    die "$1 did not start: $2"
}

# stop SECONDS NAME...: SIGTERM to all, then wait for all; SIGKILL only for what will not go.
stop() {
    local seconds=$1 name
    shift
    local -a live=()
    for name; do
        if running "$name"; then
            kill -TERM "$(pid_of "$name")" 2>/dev/null || true
            live+=("$name")
        else
            forget "$name"
        fi
    done
    for name in "${live[@]}"; do
        if ! wait_until "$seconds" gone "$name"; then
            say "$name does not leave after $seconds s: SIGKILL"
            kill -KILL "$(pid_of "$name")" 2>/dev/null || true
            wait_until 10 gone "$name" || say "$name (pid $(pid_of "$name")) cannot be killed"
        fi
        forget "$name"
    done
}

gone() { ! running "$1"; }

# Consumers before what they talk to: a worker gives its claims back, a coordinator commits.
stop_in_order() {
    local -a all workers coordinators
    mapfile -t all < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else names; fi)
    mapfile -t workers < <(printf '%s\n' "${all[@]}" | grep '^worker-' || true)
    mapfile -t coordinators < <(printf '%s\n' "${all[@]}" | grep '^coordinator-' || true)
    stop 90 "${workers[@]}"
    stop 60 "${coordinators[@]}"
    for name in dev redis kafka web; do
        if printf '%s\n' "${all[@]}" | grep -qx "$name"; then
            stop 60 "$name"
        fi
    done
}

# ---- the programs ----

# Ninja knows best whether a program is older than its sources; asking it costs a fifth of a second.
# Two callers at once take turns, and none of the tests is built here.
build_programs() {
    [ -z "${BGOP_BIN:-}" ] || return 0
    mkdir -p "$repository/build"
    (
        flock 9
        local log=$repository/build/release.log
        [ -x "$programs/bgop-worker" ] || say "building (a minute or two at the first time)"
        {
            { [ -e "$repository/build/release/build.ninja" ] || cmake -S "$repository" --preset release; } &&
                cmake --build "$repository/build/release" \
                    --target bgop-coordinator bgop-worker bgop-exec-host bgopctl bgop
        } >"$log" 2>&1 </dev/null || {
            tail -n 40 "$log" >&2
            die "the build failed (its last lines are above, all of them in $log)"
        }
    ) 9>"$repository/build/release.lock"
}

# ---- servers ----

redis_ask() { redis-cli -h 127.0.0.1 -p "$redis_port" "$@" 2>/dev/null; }

require_free_port() {
    ! port_open "$1" || die "port $1 is taken by something else; choose another with $2"
}

kafka_answers() {
    port_open "$kafka_port" && kcat -b "127.0.0.1:$kafka_port" -L -m 2 >/dev/null 2>&1
}

start_kafka() {
    require_free_port "$kafka_port" BGOP_KAFKA_PORT
    require_free_port "$((kafka_port + 1))" "BGOP_KAFKA_PORT (Kafka's controller listens one above it)"
    "$repository/deploy/kafka/fetch" >/dev/null
    launch kafka "$repository/deploy/kafka/start" --port "$kafka_port" --data "$home/kafka" --log "$home/log"
}

redis_answers() { [ "$(redis_ask PING)" = PONG ]; }

start_redis() {
    require_free_port "$redis_port" BGOP_REDIS_PORT
    mkdir -p "$home/redis"
    launch redis redis-server "$repository/deploy/redis/redis.conf" --port "$redis_port" --dir "$home/redis"
}

# ---- coordinators and workers ----

# coordinator-2 or worker-3: one instance of the program.
start_instance() {
    launch "$1" env BGOP_KAFKA="127.0.0.1:$kafka_port" BGOP_REDIS="redis://127.0.0.1:$redis_port" \
        "$programs/bgop-${1%-*}" --config "$config"
}

# One command for each shard, in one go.
ask_each_shard() {
    local shards s
    shards=$(redis_ask HGET bgop:meta shards)
    [ -n "$shards" ] || return 1
    for ((s = 0; s < shards; s++)); do
        # shellcheck disable=SC2059
        printf "$1\n" "$s"
    done | redis_ask
}

# The mode counts only together with the run id of the server that is there now: the data may
# still say OPEN from before a restart.
shards_open() {
    local run gates
    run=$(redis_ask INFO server | tr -d '\r' | sed -n 's/^run_id://p')
    gates=$(ask_each_shard 'HMGET bgop:{%d}:gate run mode' | paste - -) || return 1
    [ -n "$gates" ] && ! grep -qvx "$run"$'\t'OPEN <<<"$gates"
}

# Has it logged that event since it was launched, in either form of the log?
logged() { tail -c "+${log_from[$1]}" "$home/log/$1.log" | grep -qE "^[^ ]+ info coordinator $2( |\$)|\"event\":\"$2\""; }

# The records say whether the queue is open; who opened it, and whether this instance has its share by
# now, only its log does, as long as the configuration lets it say so.
coordinator_ready() {
    shards_open || return 1
    if logged "$1" start; then logged "$1" ready; else [ "$(age_s "$1")" -ge 3 ]; fi
}

age_s() { ps -o etimes= -p "$(pid_of "$1")" 2>/dev/null || echo 0; }

known_workers() { ask_each_shard 'ZRANGE bgop:{%d}:workers 0 -1' | grep . | sort -u; }

# workers_joined COUNT FILE: so many instances are there that FILE does not list.
workers_joined() {
    [ "$(comm -13 "$2" <(known_workers) | wc -l)" -ge "$1" ]
}

# start_missing NAME...: starts in the order of dependence what does not run yet, and waits for all.
start_missing() {
    local name before
    local -a coordinators=() workers=()
    launched=()
    mkdir -p "$home/log"
    touch "$home/pids"
    for name; do
        ! running "$name" || continue
        case $name in
        kafka) start_kafka ;;
        redis) start_redis ;;
        coordinator-*) coordinators+=("$name") ;;
        worker-*) workers+=("$name") ;;
        *) die "no such process: $name" ;;
        esac
    done
    for name in "${launched[@]}"; do
        case $name in
        redis) ready redis 60 "an answer to PING" redis_answers ;;
        kafka) ready kafka 90 "an answer to a metadata request" kafka_answers ;;
        esac
    done
    for name in "${coordinators[@]}"; do
        start_instance "$name"
    done
    for name in "${coordinators[@]}"; do
        ready "$name" 120 "the opening of every shard" coordinator_ready "$name"
    done
    before=$(mktemp)
    known_workers >"$before" || true
    for name in "${workers[@]}"; do
        start_instance "$name"
    done
    for name in "${workers[@]}"; do
        ready "$name" 60 "its registration in Redis" workers_joined "${#workers[@]}" "$before"
    done
    rm -f "$before"
}

write_env() {
    cat >"$home/env" <<EOF
export BGOP_KAFKA=127.0.0.1:$kafka_port
export BGOP_REDIS=redis://127.0.0.1:$redis_port
export PATH=$programs:\$PATH
EOF
}

write_settings() {
    printf 'kafka_port=%q\nredis_port=%q\nconfig=%q\n' "$kafka_port" "$redis_port" "$config" >"$home/settings"
}
