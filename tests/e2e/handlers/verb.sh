#!/bin/sh
# An exec handler for the tests: does what the first word of its payload says, and keeps a book of executions
# ("start|beat|end Id token attempt", one line each) in its working folder.
read -r verb argument
note() { printf '%s %s %s %s\n' "$1" "$BGOP_ID" "$BGOP_TOKEN" "$BGOP_ATTEMPT" >> executions.book; }
note start
case $verb in
    upper) printf '%s' "$argument" | tr '[:lower:]' '[:upper:]' ;;
    env) printf '%s %s %s' "$BGOP_TYPE" "$BGOP_PARENT_KEY" "$BGOP_ATTEMPT" ;;
    fail) # the first N attempts
        if [ "$BGOP_ATTEMPT" -le "$argument" ]; then
            echo "some chatter" >&2
            echo "attempt $BGOP_ATTEMPT failed" >&2
            note end
            exit 75
        fi
        printf 'succeeded at attempt %s' "$BGOP_ATTEMPT" ;;
    permanent) echo "bad data: $argument" >&2; note end; exit 65 ;;
    crash) kill -SEGV $$ ;;
    hang) # ignores SIGTERM, and so does the child it leaves behind
        trap '' TERM
        sleep 1000 &
        echo $! > "hang-$BGOP_ID.pid"
        wait ;;
    sleep) sleep "$argument"; printf 'slept %s' "$argument" ;;
    beat) # the first attempt for ever, whatever it is told; later ones N times
        trap '' TERM
        while [ "$BGOP_ATTEMPT" -eq 1 ] || [ "$argument" -gt 0 ]; do
            note beat
            sleep 0.05
            argument=$((argument - 1))
        done ;;
    *) echo "unknown verb $verb" >&2; note end; exit 65 ;;
esac
note end
