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

    -- The member that may run now; nil: none.
    local function next_of(b, name, key)
        if call('EXISTS', b.prefix .. KEY.SEQ_ACTIVE .. name) == 1 then return nil end
        local id = call('ZRANGE', key, 0, 0)[1]
        local status = id and call('HGET', b.ops .. id, 'Status')
        return (status == 'New' or status == 'Waiting') and id or nil
    end

    local function settle(b, name)
        local p, key, type = b.prefix, b.prefix .. KEY.SEQ .. name, name:match('^[^:]+')
        local failing = call('HGET', p .. KEY.SEQ_FAILING, name)
        if failing then failing = fail_rest(b, name, key, failing) end
        local failed = call('SMEMBERS', p .. KEY.SEQ_FAILED .. name)
        table.sort(failed)
        for _, id in ipairs(failed) do hold(b, name, key, type, id) end
        local released = call('HGET', p .. KEY.SEQ_RELEASED, name) or nil
        local id = not failing and next_of(b, name, key) or nil
        if released == id then return end
        if released then withdraw(b, type, released) end
        if not id then return call('HDEL', p .. KEY.SEQ_RELEASED, name) end
        count_waited(b, 'predecessor', b.now - ready_id(b, type, id))
        call('HSET', p .. KEY.SEQ_RELEASED, name, id)
    end
    at_flush('sequences', settle)

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
