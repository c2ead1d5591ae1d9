# Sourced by setup.sh: authority, certificates, users and passwords of a set-up with TLS (deploy/up --tls), in one
# folder, for this user to read.
#   ca.pem, ca.key, kafka.pem, kafka.key, redis.pem, redis.key     deploy/certificates
#   users/NAME                                                    the password of NAME
#   users.acl                                                     deploy/redis/users.acl with them
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

# The users of deploy/redis/users.acl with the digests of their passwords, and nobody else.
redis_users() {
    local word name rest
    echo "user default off"
    while read -r word name rest; do
        echo "$word $name $rest #$(sha256sum <"$1/users/$name" | cut -d' ' -f1)"
    done <"$repository/deploy/redis/users.acl"
}
