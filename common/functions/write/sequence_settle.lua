-- Makes `pending` agree with a sequence group that was touched: its first member is there if none runs, and no other is;
-- what a failure ends, ends. Called by flush for each group once.
local sequences_tick
do
    local FAIL_SLICE, FAIL_BUDGET = 100, 200        -- members that end with a failed one: in one go, in one call

    -- Ends what stands behind the failed one, in slices. Answers whether there is more.
    local function fail_rest(b, name, key, failed)
        local text = 'sequence: ' .. failed .. ' (number ' .. (call('HGET', b.ops .. failed, 'SequenceNumber') or '') ..
            ') failed before it'
        local rank, slice = call('ZRANK', key, failed), math.min(FAIL_SLICE, FAIL_BUDGET - (b.swept or 0))
        local ids = rank and slice > 0 and call('ZRANGE', key, rank + 1, rank + slice) or {}
        b.swept = (b.swept or 0) + #ids
        for _, id in ipairs(ids) do
            local rec = record_load(b, id)
            if not rec or is_final(b, rec) then
                call('ZREM', key, id)
            elseif not is_running(rec) then
                rec.swept = true
                end_error(b, rec, b.now, text)
            end
        end
        if rank and #ids >= slice then return true end
        call('ZREM', key, failed)
        call('HDEL', b.prefix .. KEY.SEQ_FAILING, name)
        return false
    end

    -- Who failed for good has no ExpiresAt while something stands behind it.
    local function hold(b, name, key, type, id)
        local behind, expires = call('ZREVRANK', key, id) ~= 0, call('HGET', b.ops .. id, 'ExpiresAt')
        if behind then
            if expires then
                call('HDEL', b.ops .. id, 'ExpiresAt')
                edited(b, id, 'Error')
            end
            call('ZADD', b.prefix .. KEY.BLOCKED, 'NX', b.now_text, id)
        elseif not expires then
            local retention = retention_of(b, type, 'Error')
            call('HSET', b.ops .. id, 'ExpiresAt', integer(b.now + retention * 1000))
            edited(b, id, 'Error')
            done_add(b, retention, id)
            call('ZREM', b.prefix .. KEY.BLOCKED, id)
        end
    end

    -- It is in `pending`, and somebody else goes first.
    local function withdraw(b, type, id)
        local status = call('HGET', b.ops .. id, 'Status')
        if status == 'New' then
            transition(b, type, id, 'New', 'Waiting')
        elseif status == 'Waiting' then
            call('ZREM', b.prefix .. KEY.PENDING .. type, id)
        end
        lane_unready(b, type, id)
    end

    -- The member that may run now, and what its record says (NEXT); nil: none. some_run: members of any of the groups do.
    local function next_of(b, name, key, some_run)
        local id = call('ZRANGE', key, 0, 0)[1]
        if not id or some_run and call('EXISTS', b.prefix .. KEY.SEQ_ACTIVE .. name) == 1 then return nil end
        local f = call('HMGET', b.ops .. id, NEXT.NAMES)
        local status = f[NEXT.STATUS]
        if status == 'New' or status == 'Waiting' then return id, f end
    end

    local function each_key(b, pattern, names)
        local keys = {}
        for n, name in ipairs(names) do keys[n] = b.prefix .. pattern .. name end
        return keys
    end

    -- What one question answers of all groups that were touched. failed, run: do members of any of them hold it, or run?
    local function look(b, names)
        return {failing = call('HMGET', b.prefix .. KEY.SEQ_FAILING, unpack(names)),
                released = call('HMGET', b.prefix .. KEY.SEQ_RELEASED, unpack(names)),
                failed = call('EXISTS', unpack(each_key(b, KEY.SEQ_FAILED, names))) > 0,
                run = call('EXISTS', unpack(each_key(b, KEY.SEQ_ACTIVE, names))) > 0, now = {}}
    end

    -- The n-th of the names that were looked at. Who is released now is noted in seen.now.
    local function settle(b, name, seen, n)
        local key, type, failing = b.prefix .. KEY.SEQ .. name, name:match('^[^:]+'), seen.failing[n]
        local released = seen.released[n] or nil
        if failing then
            failing = fail_rest(b, name, key, failing)
            released = call('HGET', b.prefix .. KEY.SEQ_RELEASED, name) or nil
        end
        local failed = seen.failed and call('SMEMBERS', b.prefix .. KEY.SEQ_FAILED .. name) or {}
        table.sort(failed)
        for _, id in ipairs(failed) do hold(b, name, key, type, id) end
        local id, f
        if not failing then id, f = next_of(b, name, key, seen.run) end
        if released == id then return end
        if released then withdraw(b, type, released) end
        if not id then return call('HDEL', b.prefix .. KEY.SEQ_RELEASED, name) end
        ready(b, type, id, LANED[f[NEXT.MORE]] and lane_name(type, f[NEXT.PARENT_KEY]) or nil)
        count_waited(b, 'predecessor', b.now - tonumber(f[NEXT.MODSTAMP]))
        seen.now[#seen.now + 1], seen.now[#seen.now + 2] = name, id
    end

    -- A group's members are its own: what is done to one of these groups is not seen of the others. In slices, since each
    -- name is an argument.
    local function settle_all(b, names)
        local LOOKED_AT = 500
        for first = 1, #names, LOOKED_AT do
            local some = {unpack(names, first, math.min(first + LOOKED_AT - 1, #names))}
            local seen = look(b, some)
            for n, name in ipairs(some) do settle(b, name, seen, n) end
            if seen.now[1] then call('HSET', b.prefix .. KEY.SEQ_RELEASED, unpack(seen.now)) end
        end
    end
    at_flush('sequences', settle_all)

    -- Goes on with what a failure ends. Answers whether there is more.
    function sequences_tick(b)
        local names = call('HKEYS', b.prefix .. KEY.SEQ_FAILING)
        if not names[1] then return false end
        table.sort(names)
        for n = 1, math.min(#names, 5) do sequence_touch(b, names[n]) end
        flush(b)
        return call('EXISTS', b.prefix .. KEY.SEQ_FAILING) == 1
    end
end
