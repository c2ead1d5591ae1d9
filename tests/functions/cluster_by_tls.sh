#!/usr/bin/env bash
# What deploy/up --tls --redis-cluster 3 --replicas 1 makes of Redis, without Kafka: servers, secrets and users by its own
# functions. Replicas log in and follow, programs reach all primaries as their users, and nobody without a login does.
#   cluster_by_tls.sh BUILD SOURCE
# shellcheck disable=SC2034,SC2154,SC2317 # setup.sh's; finish is called by the trap
set -euo pipefail
export BGOP_BIN=$1/bin
cd "$2"
BGOP_HOME=$(mktemp -d)
export BGOP_HOME
# shellcheck source=../../deploy/setup.sh
. deploy/setup.sh

finish() { stop_in_order "${launched[@]}" && rm -rf "$BGOP_HOME"; }
wrong() { say "cluster_by_tls: $*"; exit 1; }
free() {
    local port
    for port in {0..5}; do
        ! port_open $((redis_port + port)) && ! port_open $((redis_port + port + 10000)) || return 1
    done
}

tls=yes redis_cluster=3 replicas=1 kafka_port=9092 launched=()
until redis_port=$((RANDOM % 6000 + 10000)) && free; do :; done
trap finish EXIT
mkdir -p "$home/log"
touch "$home/pids" "$home/starts"
make_secrets "$home/tls"
for name in $(redis_names); do start_redis "$name"; done
for name in $(redis_names); do ready "$name" 60 "an answer to PING" server_answers "$name"; done
make_cluster

follows() { redis_cli admin -p "$(redis_port_of "$1")" INFO replication | grep -q '^master_link_status:up'; }
for name in redis-4 redis-5 redis-6; do ready "$name" 60 "it to follow its primary" follows "$name"; done
for user in bgop-coordinator bgop-worker bgop-operator bgop-monitor; do
    [ "$(redis_cli "$user" -c -p "$redis_port" EXISTS 'bgop:{1}:gate' 'bgop:{1}:fences')" = 0 ] || wrong "$user cannot read"
    redis_cli "$user" -p "$redis_port" CLUSTER SLOTS | grep -q "^$((redis_port + 2))\$" || wrong "$user sees no map"
    redis_cli "$user" -p "$redis_port" CLUSTER NODES 2>&1 | grep -q NOPERM || wrong "$user may more than the map"
done
redis-cli -h 127.0.0.1 -p "$redis_port" --tls --cacert "$home/tls/ca.pem" PING 2>&1 | grep -q NOAUTH || wrong "no login, and yet"
said=$(BGOP_REDIS=$(redis_url) "$BGOP_BIN/bgopctl" stats --config "$home/tls/bgop-operator.ini" 2>&1) && wrong "there is a queue?"
[[ $said == *"our function library is not loaded"* ]] || wrong "$said"
for word in $(<"$home/tls/replica.password") $(<"$home/tls/users/admin"); do
    ! grep -qF "$word" /proc/[0-9]*/cmdline "$home"/log/*.log 2>/dev/null || wrong "a secret shows"
done

# What was written in one go (as all that a function writes) is there after a restart: Redis reads its file as its default user.
key=''
takes() { [ "$(redis_cli admin -p "$redis_port" EVAL 'redis.call("SET", KEYS[1], 1) return redis.call("INCR", KEYS[1])' 1 "$1" 2>&1)" = 2 ]; }
for n in {1..100}; do
    ! takes "kept-$n" || { key=kept-$n; break; }
done
[ -n "$key" ] || wrong "no key is redis-1's"
stop 60 redis-1
start_redis redis-1
ready redis-1 60 "an answer to PING" server_answers redis-1
ready redis-1 60 "a cluster that serves all slots" cluster_says redis-1 '^cluster_state:ok'
[ "$(redis_cli admin -c -p "$redis_port" GET "$key")" = 2 ] || wrong "a restart forgot what had been written"
