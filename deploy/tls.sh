# Sourced by setup.sh: authority, certificates, users and passwords of a set-up with TLS (deploy/up --tls), in one
# folder, for this user to read.
#   ca.pem, ca.key, kafka.pem, kafka.key, redis.pem, redis.key     deploy/certificates
#   users/NAME                                                    the password of NAME
#   users.acl                                                     deploy/redis/users.acl with them
#   replica.password, redis-replica.conf                          of a Redis Cluster: how replicas log in
#   NAME.ini                                                      [redis] and [kafka] for a program of NAME
#   NAME.properties                                               the same for clients of librdkafka
# shellcheck shell=bash
# shellcheck disable=SC2154 # repository is setup.sh's

# Of Kafka alone: broker and admin, who may everything, and who submits. The others are users of Redis, too.
tls_users=(broker admin bgop-submitter bgop-coordinator bgop-worker bgop-operator bgop-monitor)

# make_secrets FOLDER: whatever is not there yet.
make_secrets() {
    local user
    "$repository/deploy/certificates" "$1" kafka redis
    (
        umask 077
        mkdir -p "$1/users"
        for user in "${tls_users[@]}"; do
            [ -s "$1/users/$user" ] || head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$1/users/$user"
            client_properties "$1" "$user" >"$1/$user.properties"
            client_ini "$1" "$user" >"$1/$user.ini"
        done
        [ -s "$1/replica.password" ] || head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$1/replica.password"
        printf 'masteruser replica\nmasterauth %s\n' "$(<"$1/replica.password")" >"$1/redis-replica.conf"
        redis_users "$1" >"$1/users.acl"
    )
}

client_properties() {
    cat <<EOF
security.protocol=sasl_ssl
sasl.mechanism=PLAIN
sasl.username=$2
sasl.password=$(<"$1/users/$2")
ssl.ca.location=$1/ca.pem
EOF
}

# Who submits looks at records as a monitor.
client_ini() {
    local redis_user=${2/submitter/monitor}
    cat <<EOF
[redis]
user = $redis_user
password_file = $1/users/$redis_user
tls_ca_file = $1/ca.pem
[kafka]
security.protocol = sasl_ssl
sasl.mechanism = PLAIN
sasl.username = $2
password_file = $1/users/$2
ssl.ca.location = $1/ca.pem
EOF
}

digest() { sha256sum <"$1" | cut -d' ' -f1; }

# The users of deploy/redis/users.acl with the digests of their passwords, and nobody else. On a cluster they ask for the
# map and follow keys on their way; replicas log in, and so does who makes the cluster (redis-cli).
redis_users() {
    local word name rest more=''
    [ -z "${redis_cluster:-}" ] || more='+cluster|slots +asking '
    echo "user default off ~* &* +@all" # logs in nobody; but as this user Redis reads its append-only file when it starts
    while read -r word name rest; do
        echo "$word $name $rest $more#$(digest "$1/users/$name")"
    done <"$repository/deploy/redis/users.acl"
    [ -n "$more" ] || return 0
    echo "user replica on +psync +replconf +ping #$(digest "$1/replica.password")"
    echo "user admin on ~* &* +@all #$(digest "$1/users/admin")"
}
