-- bgop_clock: settles what a clock alone cannot tell: whether as much time has passed as this server's clock went on by.
--   keys  1 shard prefix
--   args  generation, expected: the queue's time as it should be at most, by what the caller has measured since it last knew it
--         (with a clock that nobody sets); 0: it has not known it
--   ->    OK, now, ahead: by how many ms the clock is ahead of the queue's time; 0: it is believed
-- Open and recovering. A clock that is ahead is believed when who calls expects it: when it has stayed so.
-- Where the time leaps, a lease's time passes before leases are judged (the floor): workers renew them by the new time first.
do
    -- Answers the time and how far the clock is ahead of it. Carried on: the clock goes on as it should, from where it is.
    local function settle(clock, last, ahead, expected)
        if expected == 0 then expected = ahead > 0 and last or clock end
        if clock <= math.max(expected, last) + GAP_MS then return math.max(clock, last), 0 end
        local carried = clock - ahead
        if ahead == 0 or carried < last or carried > expected + GAP_MS then carried = math.max(last, expected) end
        return carried, clock - carried
    end

    local function clock_call(keys, args)
        local gate, refusal = gate_pass(keys, args, false, true)
        if not gate then return refusal end
        local expected = whole(args[CLOCK.EXPECTED])
        if not expected then return invalid('expected: %s', tostring(args[CLOCK.EXPECTED])) end
        local key, last, known = gate.prefix .. KEY.GATE, tonumber(gate.last), tonumber(gate.ahead or 0)
        local now, ahead = settle(gate.clock, last, known, expected)
        if now - last > GAP_MS then call('HSET', key, 'floor', integer(now + gate.lease_ms)) end
        if now ~= last then call('HSET', key, 'now', integer(now)) end
        if ahead ~= known then call('HSET', key, 'ahead', integer(ahead)) end
        if known == 0 and ahead > 0 then call('HSET', key, 'ahead_since', integer(now)) end
        local answer = answer_ok(now)
        answer[CLOCK_ANSWER.AHEAD] = ahead
        return answer
    end

    redis.register_function{function_name = 'bgop_clock', callback = clock_call, flags = {'allow-oom'}}
end
