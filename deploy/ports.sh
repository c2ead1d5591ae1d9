# Sourced by setup.sh: the ports of a set-up, whether they can be had, and who has them.
# shellcheck shell=bash
# shellcheck disable=SC2154 # kafka_port, redis_port and http_port are theirs who start something

# What listens where, one "process port variable" a line, after choose_settings has chosen.
ports() {
    local i
    echo "kafka $kafka_port BGOP_KAFKA_PORT"
    echo "controller $((kafka_port + 1)) BGOP_KAFKA_PORT"
    for ((i = 2; i <= kafka_brokers; i++)); do
        echo "kafka-$i $((kafka_port + 2 * i - 2)) BGOP_KAFKA_PORT"
        echo "controller-$i $((kafka_port + 2 * i - 1)) BGOP_KAFKA_PORT"
    done
    echo "redis $redis_port BGOP_REDIS_PORT"
    echo "coordinator-1 $http_port BGOP_HTTP_PORT"
}

# valid_port NAME VALUE HIGHEST: complains with wrong, which the caller has.
valid_port() { [[ $2 =~ ^[1-9][0-9]{0,4}$ && $2 -le $3 ]] || wrong "$1: a port from 1 to $3 is wanted, not '$2'"; }

valid_ports() {
    local process port variable other
    valid_port BGOP_KAFKA_PORT "$kafka_port" $((65536 - 2 * kafka_brokers))     # a controller takes the next one
    valid_port BGOP_REDIS_PORT "$redis_port" 65535
    valid_port BGOP_HTTP_PORT "$http_port" 65535
    while read -r process port variable; do
        other=$(wanted_ports | awk -v port="$port" -v variable="$variable" '$2 == port && $3 != variable { print $3 " (" $1 ")" }')
        [ -z "$other" ] || wrong "$variable ($process) and $other cannot both be port $port; Kafka takes two, its own and the one above"
    done < <(wanted_ports)
}

# Without that of HTTP when nobody wants a certain one: then it is one that is free.
wanted_ports() { if [ -n "${BGOP_HTTP_PORT:-}" ]; then ports; else ports | grep -v BGOP_HTTP_PORT; fi; }

# Sockets that hold this port on loopback or on every address, as "inode uid"; with a state (0A: listening) those only.
# Closed ones that the kernel only remembers do not hold it.
port_sockets() {
    awk -v port="$(printf '%04X' "$1")" -v state="${2:-}" '
        BEGIN { any = "00000000"; loopback = "0100007F"; any6 = any any any any; mapped = any any "FFFF0000" loopback
                split(any " " loopback " " any6 " " mapped, list); for (i in list) ours[list[i]] }
        { split($2, at, ":") }
        at[2] == port && at[1] in ours && $10 != 0 && (state == "" || $4 == state) { print $10, $8 }
    ' /proc/net/tcp /proc/net/tcp6 2>/dev/null || true
}

port_open() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Not taken, nor another port of this set-up.
port_free() {
    [ -z "$(port_sockets "$1" 0A)" ] && ! port_open "$1" && [ "$1" -ne "$redis_port" ] &&
        { [ "$1" -lt "$kafka_port" ] || [ "$1" -ge $((kafka_port + 2 * kafka_brokers)) ]; }
}

# "redis-server (pid 812, in /var/lib/redis)", or what this user may know.
port_holder() {
    local inode uid fd pid
    read -r inode uid < <(port_sockets "$1" 0A; port_sockets "$1") || true
    fd=$([ -z "$inode" ] || find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
    if [ -n "$fd" ]; then
        pid=${fd#/proc/} pid=${pid%%/*}
        echo "$(tr -d '\n' <"/proc/$pid/comm") (pid $pid, in $(readlink "/proc/$pid/cwd"))"
    elif [ -n "$inode" ]; then
        echo "a process of user $(id -nu "$uid" 2>/dev/null || echo "$uid")"
    else
        echo "a process that cannot be seen from here"
    fi
}

port_taken() { die "port $2 ($1) is taken by $(port_holder "$2"); end that, or choose another port with $3"; }

# require_ports PROCESS...: what is to be started finds its ports free.
require_ports() {
    local process port variable low high
    read -r low high </proc/sys/net/ipv4/ip_local_port_range
    while read -r process port variable; do
        [[ " ${*/kafka/kafka controller} " == *" $process "* ]] || continue
        if [ -n "$(port_sockets "$port" 0A)" ] || port_open "$port"; then
            port_taken "$process" "$port" "$variable"
        fi
        if [ "$(id -u)" -ne 0 ] && [ "$port" -lt "$(</proc/sys/net/ipv4/ip_unprivileged_port_start)" ]; then
            die "port $port ($process) is for root only; choose another with $variable"
        fi
        if [ "$port" -ge "$low" ] && [ "$port" -le "$high" ]; then
            say "warning: outgoing connections get their ports from $low to $high, and may hold port $port ($process)" \
                "when it is wanted; a lower one is safe: $variable"
        fi
    done < <(ports)
}

# A port that nobody listens on, nor on the one above it; below those that the kernel gives out (and those of the
# end-to-end tests: 26000 on).
free_port() {
    local port
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 3000 * 2))
        if ! port_open "$port" && ! port_open "$((port + 1))"; then
            echo "$port"
            return
        fi
    done
    die "found no free port"
}
