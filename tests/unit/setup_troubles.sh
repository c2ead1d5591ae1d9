#!/usr/bin/env bash
# What deploy/up and down say on a machine where something is in their way: one line, what to do, and nothing is left.
# Programs that would take long are played: java, df, the package list, coordinator and worker. Redis is the real one.
#   setup_troubles.sh SOURCE-FOLDER
# shellcheck disable=SC2016,SC2088,SC2317 # what is in single quotes is for others; finish is called by the trap
set -euo pipefail
cd "$1"
scratch=$(mktemp -d)
export BGOP_HOME="$scratch/it's a \$home" BGOP_CACHE=$scratch/cache BGOP_BIN=$scratch/bin PATH=$scratch/played:$PATH
# shellcheck source=script_ends.sh
. tests/unit/script_ends.sh

helpers=()
finish() {
    [ ${#helpers[@]} -eq 0 ] || kill "${helpers[@]}" 2>/dev/null || true
    deploy/down >/dev/null 2>&1 || true
    rm -rf "$scratch"
}
trap finish EXIT

# ---- what is played ----
play() { printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod +x "$1"; }

version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' deploy/kafka/pom.xml)
mkdir -p "$scratch/played" "$scratch/bin" "$BGOP_CACHE/kafka-$version"
play "$scratch/bin/bgop-coordinator" 'exit 0'
play "$scratch/bin/bgop-worker" 'exit 0'
play "$scratch/played/dpkg-query" 'for package; do echo "installed $package"; done'
# format is done at once; a broker does what JAVA_DOES says
play "$scratch/played/java" 'case "$*" in
-version) echo "openjdk version \"${JAVA_IS:-17.0.1}\" 2026-01-01" >&2 ;;
*StorageTool*) ;;
*) eval "${JAVA_DOES:-exec sleep 1000}" ;;
esac'

# Four ports in a row that nothing else chooses, this test in another build included; something listens on the second.
cat >"$scratch/listen.py" <<'END'
import fcntl, random, signal, socket
while True:
    first = random.randrange(10000, 18000, 4)
    sockets = [socket.socket() for _ in range(4)]
    try:
        lock = open(f"/tmp/bgop-port-{first}", "w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for number, each in enumerate(sockets):
            each.bind(("127.0.0.1", first + number))
        break
    except OSError:
        pass
sockets[1].listen()
for each in (sockets[0], sockets[2], sockets[3]):
    each.close()
print(first, flush=True)
signal.pause()
END
/usr/bin/python3 "$scratch/listen.py" >"$scratch/first" &
helpers+=($!)
listener=$!
until [ -s "$scratch/first" ]; do kill -0 "$listener"; done
first=$(<"$scratch/first") taken=$((first + 1))

# fails SAYS [NAME=VALUE...] COMMAND...: ends with 1, says it in one line, shows no trace, and leaves nothing running.
fails() {
    local says=$1
    shift
    ends 1 err "$says" env BGOP_KAFKA_PORT="$((first + 2))" BGOP_REDIS_PORT="$first" "$@"
    nothing_left "$*"
    if grep -qE '^----|Exception' "$scratch/err"; then
        echo "$*: a trace where one line would do:"
        cat "$scratch/err"
        failed=1
    fi
}

nothing_left() {
    if [ -s "$BGOP_HOME/pids" ]; then
        echo "$1: left behind:"
        cat "$BGOP_HOME/pids"
        failed=1
    fi
}

# ---- ports ----
fails "port $taken (kafka) is taken by python3 (pid $listener, in $PWD)" BGOP_KAFKA_PORT=$taken deploy/up
fails "choose another port with BGOP_KAFKA_PORT" BGOP_KAFKA_PORT=$taken deploy/up
fails "port $taken (controller) is taken by python3 (pid $listener" BGOP_KAFKA_PORT="$first" \
    BGOP_REDIS_PORT=$((first + 2)) deploy/up
fails "port $taken (redis) is taken by python3 (pid $listener" BGOP_REDIS_PORT=$taken deploy/up
fails "choose another port with BGOP_REDIS_PORT" BGOP_REDIS_PORT=$taken deploy/up
fails "port $taken (coordinator-1) is taken by python3" BGOP_HTTP_PORT=$taken deploy/up
fails "choose another port with BGOP_HTTP_PORT" BGOP_HTTP_PORT=$taken deploy/up
ends 1 err "port $taken (kafka) is taken by python3" deploy/kafka/start --port $taken --data "$scratch/d" --log "$scratch/l"
ends 1 err "port $taken (controller) is taken" deploy/kafka/start --port "$first" --data "$scratch/d" --log "$scratch/l"
# what no listener shows, the server itself finds out
cannot_bind="echo 'Socket server failed to bind to 127.0.0.1:$((first + 3)): Address already in use.'; exit 1"
fails "port $((first + 3)) (controller) is taken by" JAVA_DOES="$cannot_bind" deploy/up
for wrong in 0 x -1 65535 99999 09092 ' 9092' 9092.0 '1 2'; do
    refuses "BGOP_KAFKA_PORT: a port from 1 to 65534 is wanted, not '$wrong'" env BGOP_KAFKA_PORT="$wrong" deploy/up
done
refuses "BGOP_REDIS_PORT: a port from 1 to 65535 is wanted, not '65536'" env BGOP_REDIS_PORT=65536 deploy/up
refuses "BGOP_HTTP_PORT: a port from 1 to 65535 is wanted, not 'http'" env BGOP_HTTP_PORT=http deploy/up
refuses "cannot both be port 7000" env BGOP_KAFKA_PORT=7000 BGOP_HTTP_PORT=7000 deploy/up
refuses "cannot both be port 7000" env BGOP_KAFKA_PORT=7000 BGOP_REDIS_PORT=7000 deploy/up
refuses "cannot both be port 7001" env BGOP_KAFKA_PORT=7000 BGOP_REDIS_PORT=7001 deploy/up
refuses "65534 at most" deploy/kafka/start --port 65535 --data "$scratch/d" --log "$scratch/l"

read -r low _ </proc/sys/net/ipv4/ip_local_port_range
fails "may hold port $low (kafka)" BGOP_KAFKA_PORT="$low" BGOP_REDIS_PORT=$taken deploy/up

# ---- java, folders, files ----
fails "Kafka wants Java 17 or later, and $scratch/played/java is 11" JAVA_IS=11.0.2 deploy/up
fails "Kafka wants Java 17 or later, and $scratch/played/java is 8" JAVA_IS=1.8.0_352 deploy/up
ends 1 err "Kafka wants Java 17" env JAVA_IS=11.0.2 deploy/kafka/start --port "$first" --data "$scratch/d" --log "$scratch/l"
mkdir "$scratch/no_java"
ln -s /usr/bin/* "$scratch/no_java"
rm -f "$scratch/no_java/java"
fails "there is no java in PATH; deploy/deps --kafka installs one" PATH="$scratch/no_java" deploy/up

touch "$scratch/file"
fails "cannot write in $scratch/file: Not a directory; choose another folder with BGOP_HOME" BGOP_HOME="$scratch/file" deploy/up
fails "cannot write in /proc/sys" BGOP_HOME=/proc/sys/bgop deploy/up
play "$scratch/played/df" "echo Avail; echo '  12M'"
fails "is full (12M left, at least 64M are wanted); make room, or choose another folder with BGOP_HOME" deploy/up
rm "$scratch/played/df"
fails "the disk of $BGOP_HOME is full" JAVA_DOES="echo 'java.io.IOException: No space left on device'; exit 1" deploy/up
fails "BGOP_BIN: there is no bgop-coordinator in $scratch/nothing" BGOP_BIN="$scratch/nothing" deploy/up
refuses "--config: cannot read '$scratch/none'" deploy/up --config "$scratch/none"
refuses "--config: cannot read '$scratch'" deploy/up --config "$scratch"
play "$scratch/bin/bgop-coordinator" 'echo "$2: what is wrong with it" >&2; exit 78'
ends 78 err "file: what is wrong with it" env BGOP_KAFKA_PORT=$((first + 2)) BGOP_REDIS_PORT="$first" \
    deploy/up --config "$scratch/file"
play "$scratch/bin/bgop-coordinator" 'exit 0'
fails "cannot write in $scratch/file/cache: Not a directory" BGOP_CACHE="$scratch/file/cache" deploy/up
fails "Java's class path cannot hold a colon" BGOP_CACHE="$scratch/a:b" deploy/up

# ---- down without up, and once more ----
ends 0 err "nothing runs in $scratch/never" env BGOP_HOME="$scratch/never" deploy/down
mkdir -p "$scratch/kept/redis/appendonlydir"
ends 1 err "are of one server, and now it is a cluster of 3 servers; start it as it was" \
    env BGOP_HOME="$scratch/kept" deploy/up --redis-cluster 3
rm -r "$scratch/kept/redis"
mkdir "$scratch/kept/redis-1" "$scratch/kept/redis-2" "$scratch/kept/redis-3"
touch "$scratch"/kept/redis-{1,2,3}/nodes.conf
ends 1 err "are of a cluster of 3 servers, and now it is one server" env BGOP_HOME="$scratch/kept" deploy/up
ends 1 err "are of a cluster of 3 servers, and now it is a cluster of 6 servers" \
    env BGOP_HOME="$scratch/kept" deploy/up --redis-cluster 3 --replicas 1
ends 1 err "nothing was started in $scratch/never yet; deploy/up starts all of it" env BGOP_HOME="$scratch/never" \
    deploy/up --restart kafka
[ ! -e "$scratch/never" ] || { echo "deploy/down or --restart made a folder"; failed=1; }
ends 1 err "worker-7 was never started in $BGOP_HOME" deploy/up --restart worker-7

# ---- a signal while it starts: what it started goes with it ----
BGOP_KAFKA_PORT=$((first + 2)) BGOP_REDIS_PORT=$first deploy/up >"$scratch/out" 2>"$scratch/err" &
up=$!
until [ "$(wc -l <"$BGOP_HOME/pids")" -eq 2 ]; do kill -0 $up; done
mapfile -t started < <(cut -d ' ' -f 2 "$BGOP_HOME/pids")
kill -TERM $up
wait $up && code=0 || code=$?
nothing_left "deploy/up, then SIGTERM"
for pid in "${started[@]}"; do
    [ ! -e "/proc/$pid" ] || { echo "pid $pid is left behind: $(tr '\0' ' ' <"/proc/$pid/cmdline")"; failed=1; }
done
[ "$code" -eq 143 ] || { echo "deploy/up ended with $code after SIGTERM"; failed=1; }

# ---- a pid that is somebody else's by now, whatever its name is ----
bash -c 'exec -a bgop-worker sleep 1000' &
stranger=$!
helpers+=("$stranger")
until [ "$(<"/proc/$stranger/comm")" = sleep ]; do kill -0 $stranger; done # a moment ago it was a shell
for line in "worker-1 $stranger" "kafka $stranger" "redis $stranger"; do
    echo "$line" >"$BGOP_HOME/pids"
    echo "$line 1" >"$BGOP_HOME/starts"
    ends 0 err "its pid $stranger is another process by now (sleep) and left alone" deploy/down
    kill -0 $stranger || { echo "deploy/down ended a stranger"; failed=1; }
done
for line in "redis 0" "redis -1" "redis" "redis x" "redis 4194305"; do
    echo "$line" >"$BGOP_HOME/pids"
    deploy/down
    nothing_left "deploy/down with '$line'"
done

# ---- the file to be sourced, by every shell ----
for folder in "a blank" "it's" 'dollar $HOME `id`' 'back\slash' 'double"quote' $'new\nline' '*' 'ü;&|'; do
    mkdir -p "$scratch/$folder"
    for shell in sh bash; do
        found=$(BGOP_HOME=$scratch/$folder BGOP_BIN=$scratch/$folder bash -euc '. deploy/setup.sh; write_env' &&
            $shell -euc '. "$1/env"; printf "%s|%s|%s" "$PATH" "$BGOP_KAFKA" "$BGOP_HTTP_TOKEN"' - "$scratch/$folder")
        [ "$found" = "$scratch/$folder:$PATH|127.0.0.1:0|$(<"$scratch/$folder/http-token")" ] || { echo "$shell: env of $folder: $found"; failed=1; }
    done
done

# ---- the token: kept, of the right form, and nobody else's ----
token=$scratch/a\ blank/http-token
[[ $(<"$token") =~ ^00Dxx0000000001![0-9a-f]{48}$ ]] || { echo "token: $(<"$token")"; failed=1; }
[[ $(<"$token") != "$(<"$scratch/a blank/http-operator-token")" ]] || { echo "the operator's token is the reader's"; failed=1; }
for file in "$token" "$scratch/a blank/http-operator-token" "$scratch/a blank/env"; do
    [ "$(stat -c %a "$file")" = 600 ] || { echo "$file: mode $(stat -c %a "$file")"; failed=1; }
done

# ---- HTTP takes a port that is free, unless one is named ----
found=$(bash -euc '. deploy/setup.sh; kafka_port=$1 redis_port=$1; port_free "$1" || echo ours
    kafka_port=1; port_free "$1" || echo ours; redis_port=1; port_free "$2" || echo taken; port_free "$1" && echo free' - \
    "$first" "$taken")
[ "$found" = $'ours\nours\ntaken\nfree' ] || { echo "port_free: $found"; failed=1; }

# ---- folders by any name: relative, with a ~ in quotes ----
cd "$scratch"
for given in relative ./relative '~/relative' '~'; do
    found=$(HOME=$scratch BGOP_HOME=$given bash -euc '. "$1/deploy/setup.sh"; printf %s "$home"' - "$OLDPWD")
    [[ $found =~ ^"$scratch"(/\.)?(/relative)?$ ]] || { echo "BGOP_HOME=$given: $found"; failed=1; }
done
exit "$failed"
