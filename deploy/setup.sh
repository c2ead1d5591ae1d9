# Sourced by up, down, demo and kafka/fetch: a local set-up is a folder (BGOP_HOME) and the processes it names.
#   $home/pids       "name pid" of each real process: kafka, redis, coordinator-1, worker-1, ...
#   $home/starts     "name pid time", when each of them was started
#   $home/settings   ports, configuration file and numbers, for --restart
#   $home/env        for people and programs to source
#   $home/log/NAME.log, $home/kafka, $home/redis (redis-1 ... with --redis-cluster); with --kafka-brokers $home/kafka-2 ...; with --tls $home/tls
# shellcheck shell=bash

repository=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() { say "${0##*/}: $*"; exit 1; }

# absolute NAME: makes the path in that variable absolute: what is started may work in another folder. A ~ that came
# in quotes is meant all the same.
absolute() {
    local -n path=$1
    # shellcheck disable=SC2088 # a literal ~ is looked for
    case $path in
    /*) ;;
    '~' | '~/'*) path=$HOME${path:1} ;;
    *) path=$PWD/$path ;;
    esac
}

home=${BGOP_HOME:-~/.bgop}
programs=${BGOP_BIN:-$repository/build/release/bin}
absolute home
absolute programs
kafka_port=0 redis_port=0 http_port=0       # chosen by who starts something
redis_cluster='' replicas=0                  # how many primaries; '': one server
kafka_brokers=1 tls=''                      # likewise; tls: yes, with secrets in $home/tls

# In single quotes, which every shell reads (printf %q writes what only bash does).
quoted() { printf "'%s'" "${1//"'"/"'\\''"}"; }

# Likewise, but as it is when it needs no quotes.
shell_word() { if [[ $1 =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then printf '%s' "$1"; else quoted "$1"; fi; }

# shellcheck source=ports.sh
. "$repository/deploy/ports.sh"
# shellcheck source=tls.sh
. "$repository/deploy/tls.sh"

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

# ---- processes ----

# when_started PID: sets start to the time that tells this process from a later one with the same pid (field 22 of its
# stat, in ticks since the machine's start). A zombie is gone: nobody may be there to reap what this shell has left.
when_started() {
    local stat='' fields
    start=''
    { IFS='' read -rd '' stat <"/proc/$1/stat" || true; } 2>/dev/null
    read -ra fields <<<"${stat##*) }"           # the name before it may hold anything
    case ${fields[0]:-gone} in
    gone | Z | X) return 1 ;;
    *) start=${fields[19]} ;;
    esac
}

pid_of() { sed -n "s/^$1 //p" "$home/pids" 2>/dev/null || true; }

running() {
    local pid start
    pid=$(pid_of "$1")
    [ -n "$pid" ] && when_started "$pid" && grep -qx "$1 $pid $start" "$home/starts" 2>/dev/null
}

forget() {
    local file
    for file in "$home/pids" "$home/starts"; do
        [ ! -e "$file" ] || sed -i "/^$1\( \|$\)/d" "$file"
    done
}

names() { cut -d' ' -f1 "$home/pids" 2>/dev/null || true; }

declare -A log_from     # where in its log a process that we launched begins

# launch NAME COMMAND...: in a session of its own, so that it outlives this shell and its terminal.
# setsid replaces itself, and so do the scripts behind it: $! is the pid of the program. A signal that comes meanwhile
# waits until the pid is written down (on_signal).
launch() {
    local name=$1 start
    shift
    log_from[$name]=$(($(stat -c %s "$home/log/$name.log" 2>/dev/null || echo 0) + 1))
    forget "$name"
    launching=yes
    setsid "$@" </dev/null >>"$home/log/$name.log" 2>&1 7>&- &
    when_started $! || true
    { echo "$name $!" >>"$home/pids" && echo "$name $! $start" >>"$home/starts"; } || {
        kill $!
        die "cannot write in $home, so $name does not stay"
    }
    launched+=("$name")
    launching=''
    [ -z "${interrupted:-}" ] || exit "$interrupted"
}

on_signal() {
    interrupted=$1
    [ -n "${launching:-}" ] || exit "$1"
}

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

# What NAME has logged since it was launched; Kafka has a log of its own beside it.
log_of() {
    tail -c "+${log_from[$1]:-1}" "$home/log/$1.log" || true
    [ "$1" != kafka ] || tail -n 40 "$home/log/kafka-server.log" || true
} 2>/dev/null

# failed NAME WHAT: one line when the cause is plain, else the ends of its logs.
failed() {
    local port process variable
    port=$(log_of "$1" | sed -n 's/.*[^0-9]127\.0\.0\.1:\([0-9]*\).*Address already in use.*/\1/p' | tail -n 1)
    while read -r process _ variable; do
        port_taken "$process" "$port" "$variable"
    done < <(ports | grep " ${port:-none} ")
    if log_of "$1" | grep 'No space left on device' >/dev/null; then
        die "$1 did not start: the disk of $home is full; make room, or choose another folder with BGOP_HOME"
    fi
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
            tell_stranger "$name"
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

# After a crash of the machine, or of its owner, a pid may be somebody else's.
tell_stranger() {
    local pid start
    pid=$(pid_of "$1")
    if [ -n "$pid" ] && when_started "$pid"; then
        say "$1 is gone; its pid $pid is another process by now ($(tr -d '\n' <"/proc/$pid/comm")) and left alone"
    fi
}

# Consumers before what they talk to: a worker gives its claims back, a coordinator commits.
stop_in_order() {
    local -a all worker_names coordinator_names redis_servers
    mapfile -t all < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else names; fi)
    mapfile -t worker_names < <(printf '%s\n' "${all[@]}" | grep '^worker-' || true)
    mapfile -t coordinator_names < <(printf '%s\n' "${all[@]}" | grep '^coordinator-' || true)
    stop 90 "${worker_names[@]}"
    stop 60 "${coordinator_names[@]}"
    for name in dev web; do
        if printf '%s\n' "${all[@]}" | grep -qx "$name"; then
            stop 60 "$name"
        fi
    done
    mapfile -t redis_servers < <(printf '%s\n' "${all[@]}" | grep -x 'redis\(-[0-9]*\)\{0,1\}' || true)
    stop 60 "${redis_servers[@]}"
    mapfile -t all < <(printf '%s\n' "${all[@]}" | grep -x 'kafka\(-[0-9]\)\{0,1\}' || true)
    stop 60 "${all[@]}"
}

# ---- the programs ----

# Ninja knows best whether a program is older than its sources; asking it costs a fifth of a second.
# Two callers at once take turns, and none of the tests is built here.
build_programs() {
    if [ -n "${BGOP_BIN:-}" ]; then
        [ -x "$programs/bgop-coordinator" ] || die "BGOP_BIN: there is no bgop-coordinator in $programs"
        return
    fi
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

# server_ask NAME COMMAND...: that server, as it is.
server_ask() {
    local name=$1
    shift
    redis_cli bgop-operator -p "$(redis_port_of "$name")" "$@" 2>/dev/null
}

# The servers of Redis: one, or primaries and their replicas at the ports that follow.
redis_names() {
    local i
    [ -n "$redis_cluster" ] || { echo redis; return; }
    for ((i = 1; i <= redis_cluster * (1 + replicas); i++)); do echo "redis-$i"; done
}

redis_port_of() { local number=${1#redis}; number=${number#-}; echo $((redis_port + ${number:-1} - 1)); }

# redis_cli USER ARGUMENT...: by TLS, as that user, where there are users.
redis_cli() {
    local user=$1
    shift
    if [ -n "$tls" ]; then
        REDISCLI_AUTH=$(<"$home/tls/users/$user") redis-cli -h 127.0.0.1 --tls --cacert "$home/tls/ca.pem" --user "$user" \
            --no-auth-warning "$@"
    else
        redis-cli -h 127.0.0.1 "$@"
    fi
}

redis_ask() { redis_cli bgop-operator ${redis_cluster:+-c} -p "$redis_port" "$@" 2>/dev/null; }

# Kafka 4's brokers are compiled for Java 17. What "release" beside it says is there in a moment; a java that is a
# script has none.
require_java() {
    local java version release
    java=$(type -P java) || die "there is no java in PATH; deploy/deps --kafka installs one"
    release=$(dirname -- "$(readlink -f -- "$java")")/../release
    version=$(sed -n 's/^JAVA_VERSION="\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' "$release" 2>/dev/null) ||
        version=$("$java" -version 2>&1 | sed -n 's/.* version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p') || true
    [ "${version:-0}" -ge 17 ] || die "Kafka wants Java 17 or later, and $java is ${version:-of no version that it tells};" \
        "deploy/deps --kafka installs one, PATH decides which is taken"
}

# The port of kafka, kafka-2, ...; each takes two.
broker_port() { local node=${1#kafka}; node=${node#-}; echo $((kafka_port + 2 * (${node:-1} - 1))); }

broker_names() { local i; echo kafka; for ((i = 2; i <= kafka_brokers; i++)); do echo "kafka-$i"; done; }

# host:port,... of all brokers; with "controllers" node@host:port of what chooses their leaders.
kafka_list() {
    local name node=1 list=''
    for name in $(broker_names); do
        if [ "${1:-}" = controllers ]; then
            list+=,$node@127.0.0.1:$(($(broker_port "$name") + 1))
        else
            list+=,127.0.0.1:$(broker_port "$name")
        fi
        node=$((node + 1))
    done
    echo "${list#,}"
}

kafka_answers() {
    local port
    local -a login=()
    port=$(broker_port "$1")
    [ -z "$tls" ] || login=(-F "$home/tls/admin.properties")
    port_open "$port" && kcat -b "127.0.0.1:$port" "${login[@]}" -L -m 2 >/dev/null 2>&1
}

start_kafka() {
    local node=${1#kafka} log=$home/log
    local -a more=()
    node=${node#-}
    require_java
    "$repository/deploy/kafka/fetch" >/dev/null
    [ -z "$node" ] || log=$home/log/$1
    [ -z "$tls" ] || more+=(--tls "$home/tls")
    [ "$kafka_brokers" -eq 1 ] || more+=(--node "${node:-1}" --controllers "$(kafka_list controllers)")
    launch "$1" "$repository/deploy/kafka/start" --port "$(broker_port "$1")" --data "$home/$1" --log "$log" "${more[@]}"
}

# What deploy/kafka/acls says, for the Types of this configuration.
# shellcheck disable=SC2154 # config is the sourcing script's
grant_rights() {
    local types
    types=$("$programs/bgop-worker" --config "$config" --print-config | sed -n 's/^\[type \(.*\)\]$/\1/p' | paste -s -d ,)
    "$repository/deploy/kafka/grant" --brokers "$(kafka_list)" --properties "$home/tls/admin.properties" --types "$types" ||
        die "Kafka's users were not given their rights"
}

# Neither 0 nor 1 while it loads its data. (PING is not for everybody.)
redis_answers() { [[ $(redis_ask EXISTS bgop:meta) =~ ^[01]$ ]]; }

redis_url() {
    local i list=127.0.0.1:$redis_port
    for ((i = 2; i <= ${redis_cluster:-0}; i++)); do list+=,127.0.0.1:$(redis_port_of "redis-$i"); done
    echo "redis${tls:+s}://$list"
}

start_redis() {
    local -a listen=(--port "$(redis_port_of "$1")")
    mkdir -p "$home/$1"
    # While one primary is away the others go on.
    [ -z "$redis_cluster" ] ||
        listen+=(--cluster-enabled yes --cluster-node-timeout 5000 --cluster-require-full-coverage no)
    [ -z "$tls" ] || listen=(--port 0 --tls-port "${listen[@]:1}" --tls-auth-clients no --aclfile "$home/tls/users.acl"
        --tls-cert-file "$home/tls/redis.pem" --tls-key-file "$home/tls/redis.key" --tls-ca-cert-file "$home/tls/ca.pem")
    [ -z "$redis_cluster" ] || [ -z "$tls" ] ||
        listen+=(--tls-cluster yes --tls-replication yes --include "$home/tls/redis-replica.conf")
    launch "$1" redis-server "$repository/deploy/redis/redis.conf" "${listen[@]}" --dir "$home/$1"
}

server_answers() { [ "$(redis_cli admin -p "$(redis_port_of "$1")" PING 2>/dev/null)" = PONG ]; }

cluster_says() { redis_cli admin -p "$(redis_port_of "$1")" CLUSTER INFO 2>/dev/null | grep -q "$2"; }

# Once: servers that know each other find each other again.
make_cluster() {
    local name
    local -a servers=()
    if cluster_says redis-1 '^cluster_known_nodes:1[^0-9]*$'; then
        for name in $(redis_names); do servers+=("127.0.0.1:$(redis_port_of "$name")"); done
        redis_cli admin --cluster create "${servers[@]}" --cluster-replicas "$replicas" --cluster-yes \
            >>"$home/log/redis-cluster.log" 2>&1 || die "redis-cli --cluster create failed: $home/log/redis-cluster.log"
    fi
    for name in $(redis_names); do
        ready "$name" 60 "a cluster that serves all slots" cluster_says "$name" '^cluster_state:ok'
    done
}

# ---- coordinators and workers ----

# coordinator-2 or worker-3: one instance of the program. The first coordinator answers HTTP; it gets its tokens as
# open files, since the name of our folder may hold what no option can.
# shellcheck disable=SC2154 # config is the sourcing script's
start_instance() {
    local -a http=()
    make_tokens
    [ "$1" != coordinator-1 ] || http=(BGOP_HTTP_LISTEN="127.0.0.1:$http_port" BGOP_HTTP_TOKEN_FILE=/dev/fd/6
        BGOP_HTTP_OPERATOR_TOKEN_FILE=/dev/fd/5)
    launch "$1" env BGOP_KAFKA="$(kafka_list)" BGOP_REDIS="$(redis_url)" "${http[@]}" \
        "$programs/bgop-${1%-*}" --config "$(config_of "${1%-*}")" 6<"$home/http-token" \
        5<"$home/http-operator-token"
}

# The configuration of coordinator or worker; with TLS its login stands behind what everybody has.
config_of() {
    local whole=$home/tls/$1.ini
    if [ -n "$tls" ]; then
        (umask 077 && { cat "$config" && echo && cat "$home/tls/bgop-$1.ini"; } >"$whole")
        echo "$whole"
    else
        echo "$config"
    fi
}

# Made once, for this user to read. Of the form that the sf command line wants.
make_tokens() {
    local name
    for name in http-token http-operator-token; do
        [ -s "$home/$name" ] ||
            (umask 077 && echo "00Dxx0000000001!$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" >"$home/$name")
    done
}

# What is piped in comes without the redirections that redis-cli follows for a command of its own.
ask_one_by_one() {
    local -a words
    while read -ra words; do redis_ask "${words[@]}" </dev/null; done
}

# One command for each shard, in one go.
ask_each_shard() {
    local shards s
    shards=$(redis_ask HGET bgop:meta shards)
    [ -n "$shards" ] || return 1
    for ((s = 0; s < shards; s++)); do
        # shellcheck disable=SC2059
        printf "$1\n" "$s"
    done | if [ -n "$redis_cluster" ]; then ask_one_by_one; else redis_ask; fi
}

# The mode counts only together with the run id of the server that is there now: the data may
# still say OPEN from before a restart.
shards_open() {
    local name runs gates
    runs=$(for name in $(redis_names); do server_ask "$name" INFO server; done | tr -d '\r' |
        sed -n 's/^run_id:\(.*\)/\1\tOPEN/p')
    gates=$(ask_each_shard 'HMGET bgop:{%d}:gate run mode' | paste - -) || return 1
    [ -n "$gates" ] && ! grep -qvxF "$runs" <<<"$gates"
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
    local name before=$home/workers-before
    local -a coordinator_names=() worker_names=()
    launched=()
    mkdir -p "$home/log"
    touch "$home/pids"
    [ -z "$tls" ] || (umask 077 && make_secrets "$home/tls")
    for name; do
        ! running "$name" || continue
        case $name in
        kafka | kafka-*) start_kafka "$name" ;;
        redis | redis-*) start_redis "$name" ;;
        coordinator-*) coordinator_names+=("$name") ;;
        worker-*) worker_names+=("$name") ;;
        *) die "no such process: $name" ;;
        esac
    done
    for name in "${launched[@]}"; do
        case $name in
        redis) ready redis 60 "an answer" redis_answers ;;
        redis-*) ready "$name" 60 "an answer to PING" server_answers "$name" ;;
        kafka | kafka-*) ready "$name" 90 "an answer to a metadata request" kafka_answers "$name" ;;
        esac
    done
    [ -z "$tls" ] || [[ " ${launched[*]} " != *" kafka "* ]] || grant_rights
    [ -z "$redis_cluster" ] || [[ " ${launched[*]} " != *" redis-"* ]] || make_cluster
    for name in "${coordinator_names[@]}"; do
        start_instance "$name"
    done
    for name in "${coordinator_names[@]}"; do
        ready "$name" 120 "the opening of every shard" coordinator_ready "$name"
    done
    known_workers >"$before" || true
    for name in "${worker_names[@]}"; do
        start_instance "$name"
    done
    for name in "${worker_names[@]}"; do
        ready "$name" 60 "its registration in Redis" workers_joined "${#worker_names[@]}" "$before"
    done
    rm -f "$before"
}

# It has the tokens, so it is for this user.
write_env() {
    make_tokens
    rm -f "$home/env"
    (umask 077 && cat >"$home/env") <<EOF
export BGOP_KAFKA=$(kafka_list)
export BGOP_REDIS=$(redis_url)
export BGOP_HTTP=http://127.0.0.1:$http_port
export BGOP_HTTP_TOKEN=$(quoted "$(<"$home/http-token")")
export BGOP_HTTP_OPERATOR_TOKEN=$(quoted "$(<"$home/http-operator-token")")
export PATH=$(quoted "$programs"):"\$PATH"
EOF
}

# shellcheck disable=SC2154 # the sourcing script sets all of these
write_settings() {
    printf '%s=%q\n' kafka_port "$kafka_port" redis_port "$redis_port" http_port "$http_port" config "$config" \
        kafka_brokers "$kafka_brokers" tls "$tls" redis_cluster "$redis_cluster" replicas "$replicas" started_coordinators "$coordinators" started_workers "$workers" >"$home/settings"
}

# Says why when it cannot be written to, before anything is started.
prepare_home() {
    local reason room
    reason=$({ mkdir -p "$home/log" "$home/redis" && touch "$home/pids" "$home/starts" &&
        head -c 4096 /dev/zero >"$home/room" && rm "$home/room"; } 2>&1) ||
        die "cannot write in $home: ${reason##*: }; choose another folder with BGOP_HOME"
    room=$(df --output=avail -BM "$home" | tail -n 1)
    [ "${room//[!0-9]/}" -ge 64 ] || die "the disk of $home is full (${room// /} left, at least 64M are wanted);" \
        "make room, or choose another folder with BGOP_HOME"
}

# One up or down at a time.
lock_home() {
    exec 7>"$home/lock"
    flock -n 7 || { say "another deploy/up or down is at work in $home; waiting for it"; flock 7; }
}
