#!/usr/bin/env bash
# What the scripts say about arguments that are wrong: why, and how they are used; 64, and nothing is done.
#   script_arguments.sh SOURCE-FOLDER
set -euo pipefail
cd "$1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export BGOP_HOME=$scratch/home BGOP_CACHE=$scratch/cache PATH=$scratch:$PATH

# What would begin the work, were an argument taken for right.
for program in cmake ctest apt-get dpkg-query mvn java redis-server redis-cli; do
    printf '#!/bin/sh\nexit 9\n' >"$scratch/$program"
    chmod +x "$scratch/$program"
done

# shellcheck source=script_ends.sh
. tests/unit/script_ends.sh

helps() {
    ends 0 out "$2" "$1" --help
    ends 0 out "$2" "$1" -h
    if "$1" --help >/dev/full 2>"$scratch/err" || ! grep -q "No space left" "$scratch/err"; then
        echo "$1 --help: a lost output is not told"
        failed=1
    fi
}

helps tests/bench/run "tests/bench/run reads [records"
refuses "there is no benchmark 'foo'" tests/bench/run foo
refuses "tests/bench/run [operations" tests/bench/run foo
refuses "argument operations: invalid number of at least 1 value: '0'" tests/bench/run 0
refuses "unrecognized arguments: --bogus" tests/bench/run --bogus
refuses "argument rate: invalid number of at least 1 value: 'x'" tests/bench/run 1000 x
refuses "argument seconds: invalid number of at least 1 value: '-1'" tests/bench/run 1000 500 -1
refuses "unrecognized arguments: 4" tests/bench/run 1000 500 20 4
refuses "no scenario is called 'foo'" tests/bench/run --only foo
refuses "argument --compare: expected 2 arguments" tests/bench/run --compare foo
refuses "'foo' has neither bgop-coordinator and bgop-worker" tests/bench/run --compare foo foo
refuses "invalid list of bullmq,river,nats,beanstalkd value: 'foo'" tests/bench/run --beside foo
ends 0 out "rate/named/64/noop" tests/bench/run --list
refuses "records: a whole number above 0 is wanted, not 'foo'" tests/bench/run reads foo
refuses "limit: a number above 0 is wanted, not '0.0'" tests/bench/run reads 1000 0.0
refuses "is no socket" tests/bench/run reads 1000 0.5 "$scratch/none"
if /usr/bin/python3 -c 'import confluent_kafka, redis' 2>/dev/null; then
    ends 0 out "--backoff" tests/bench/run retry_law --help
    refuses "invalid number of at least 1 value: '0'" tests/bench/run retry_law --rounds 0
    refuses "unrecognized arguments: foo" tests/bench/run sequences foo
    refuses "unrecognized arguments: --operations" tests/bench/run acceptance --operations 10
fi

helps tests/simulation/run "tests/simulation/run [SEEDS]"
refuses "SEEDS: a whole number above 0 is wanted, not 'foo'" tests/simulation/run foo
refuses "STEPS: a whole number above 0 is wanted, not '0'" tests/simulation/run 10 0
refuses "FIRST: a whole number above 0 is wanted, not 'x'" tests/simulation/run 10 10 x

helps tests/fault/smoke "options of tests/fault/run"
helps tests/fault/quick "tests/fault/quick [SEED]"
helps tests/fault/nightly "SEED F3 F7"
refuses "SEED: a whole number above 0 is wanted, not 'x'" tests/fault/quick x
ends 0 out "tests/fault/mutants [NAME ...]" tests/fault/mutants --help
ends 64 err "there is no 'foo'" tests/fault/mutants foo
if /usr/bin/python3 -c 'import confluent_kafka, redis' 2>/dev/null; then
    ends 0 out "--sync-ms" tests/fault/run --help
    refuses "which run? --list shows them" tests/fault/run
    refuses "invalid choice: 'F99'" tests/fault/run F99
    refuses "there is no run 'F99'" tests/fault/nightly 1 F99
fi

helps tests/run "tests/run -L unit"
helps tests/quick "Arguments go to ctest"
helps tests/nightly "SIM_SEEDS=20000"
helps .ci/run "every test, nothing else"
refuses "-L unit" tests/run unit
refuses "-L unit" tests/quick unit
refuses "takes no arguments, such as 'foo'" tests/nightly foo
refuses "SIM_SEEDS: a whole number above 0 is wanted, not 'x'" env SIM_SEEDS=x tests/nightly
refuses "takes no arguments, such as 'foo'" .ci/run foo

helps deploy/up "deploy/up --restart NAME"
helps deploy/down "Stops what deploy/up started"
helps deploy/demo "--kafka    a real Apache Kafka"
helps deploy/deps "Without a group: all but --peers"
helps deploy/package "deploy/package [FOLDER]"
refuses "there is no option --bogus" deploy/package --bogus
refuses "takes one folder" deploy/package a b
helps deploy/kafka/start "deploy/kafka/start --port PORT"
helps deploy/kafka/fetch "Brings Apache Kafka's jars"
refuses "there is no foo" deploy/up foo
refuses "--workers wants a number, not 'x'" deploy/up --workers x
refuses "--coordinators wants a number, not '08'" deploy/up --coordinators 08
refuses "--restart: no such process: ''" deploy/up --restart
refuses "--restart: no such process: 'foo'" deploy/up --restart foo
refuses "--config: cannot read ''" deploy/up --config
refuses "deploy/up" deploy/down foo
refuses "--once" deploy/demo foo
refuses "--demo" deploy/deps foo
refuses "--port wants a number, not 'x'" deploy/kafka/start --port x --data "$scratch/data" --log "$scratch/log"
refuses "--log wants a value" deploy/kafka/start --port 1 --data "$scratch/data" --log
refuses "--data wants a folder" deploy/kafka/start --port 1 --log "$scratch/log"
refuses "prints that folder" deploy/kafka/fetch foo
exit $failed
