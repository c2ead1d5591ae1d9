-- Sequence groups: of the unfinished members of (Type, ParentKey, SequenceGroup) the first by number, then Id, may run
-- when none of them runs; the others are Waiting and not in `pending`. Whoever changes a member names its group; flush
-- then looks at each of these groups once (sequence_settle) and makes `pending` agree with it. Keys, all by
-- <Type>:<ParentKey>:<SequenceGroup>, and all absent for operations without a group:
--   seq:<group>         zset by number: unfinished members, and those that failed for good and hold the group
--   seq_active:<group>  set: members that run (several in one execution group, or after Redis went backwards)
--   seq_failed:<group>  set: members that failed for good and hold the group
--   seq_released        hash: group -> the member that is in `pending`, or waits for its turn in its lane
--   seq_failing         hash: group -> the member whose failure ends all behind it, while that goes on
--   blocked             zset by time: members that failed for good and have others behind them
do
    local FAIL_SLICE, FAIL_BUDGET = 100, 200        -- members that end with a failed one: in one go, in one call

    -- The ParentKey's colons are hidden, so that no two groups have one name.
    function sequence_name(type, parent, group)
        if parent:find('[:%%]') then parent = parent:gsub('[:%%]', {[':'] = '%3A', ['%'] = '%25'}) end
        return type .. ':' .. parent .. ':' .. group
    end

    function sequence_touch(b, name)
        local sequences = b.sequences
        if sequences[name] then return end
        sequences[name] = true
        sequences[#sequences + 1] = name
    end

    function sequence_add(b, name, number, id)
        call('ZADD', b.prefix .. ':seq:' .. name, number, id)
        sequence_touch(b, name)
    end

    -- May it run as soon as it is due?
    function sequence_is_open(b, name, id)
        local p = b.prefix
        return call('ZRANGE', p .. ':seq:' .. name, 0, 0)[1] == id and
            call('EXISTS', p .. ':seq_active:' .. name) == 0 and call('HEXISTS', p .. ':seq_failing', name) == 0
    end

    local function unrelease(b, name, id)
        local released = b.prefix .. ':seq_released'
        if call('HGET', released, name) == id then call('HDEL', released, name) end
    end

    function sequence_claimed(b, name, id)
        call('SADD', b.prefix .. ':seq_active:' .. name, id)
        call('HDEL', b.prefix .. ':seq_released', name)
    end

    local function leave_status(b, rec)
        local p, name, id = b.prefix, rec.sequence, rec.id
        if rec.status == 'Running' or rec.status == 'Merged' then
            call('SREM', p .. ':seq_active:' .. name, id)
        elseif rec.status == 'New' or rec.status == 'Waiting' then
            unrelease(b, name, id)
        elseif rec.status == 'Error' and call('SREM', p .. ':seq_failed:' .. name, id) == 1 then
            call('ZREM', p .. ':blocked', id)
        elseif rec.status == 'Error' and call('HGET', p .. ':seq_failing', name) == id then
            call('HDEL', p .. ':seq_failing', name)
        end
        sequence_touch(b, name)
    end

    -- A member goes from rec.status to another one (a failure for good: sequence_failed).
    function sequence_moved(b, rec, to)
        if not rec.sequence then return end
        leave_status(b, rec)
        local key = b.prefix .. ':seq:' .. rec.sequence
        if to == 'Complete' or to == 'Canceled' or to == 'Merged' then
            call('ZREM', key, rec.id)
        else
            call('ZADD', key, rec.number, rec.id)
        end
        if to == 'Running' then call('SADD', b.prefix .. ':seq_active:' .. rec.sequence, rec.id) end
    end

    -- The failure that ends all behind it; of two the one in front.
    local function fail_from(b, rec, key)
        local failing = b.prefix .. ':seq_failing'
        local other = call('HGET', failing, rec.sequence)
        if other and call('ZRANK', key, other) then
            local last = call('ZRANK', key, other) < call('ZRANK', key, rec.id) and rec.id or other
            call('ZREM', key, last)
            if last == rec.id then return end
        end
        call('HSET', failing, rec.sequence, rec.id)
    end

    -- A member failed for good: what that means for those behind it, its Type's on_sequence_failure says.
    function sequence_failed(b, rec)
        if not rec.sequence then return end
        local key, settings = b.prefix .. ':seq:' .. rec.sequence, b.types.current[rec.type] or {}
        local policy = rec.swept and 'skip' or settings.on_sequence_failure or 'hold'
        leave_status(b, rec)
        if policy == 'skip' then return call('ZREM', key, rec.id) end
        call('ZADD', key, rec.number, rec.id)
        if policy == 'fail' then return fail_from(b, rec, key) end
        call('SADD', b.prefix .. ':seq_failed:' .. rec.sequence, rec.id)
    end

    -- Does it hold its group, having failed for good? Then it may still be canceled.
    function sequence_is_held_by(b, rec)
        return rec.sequence and rec.status == 'Error' and
            call('SISMEMBER', b.prefix .. ':seq_failed:' .. rec.sequence, rec.id) == 1
    end

    -- An expired record that may have held its group.
    function sequence_expired(b, id)
        local f = call('HMGET', b.ops .. id, 'Type', 'ParentKey', 'SequenceGroup')
        if not f[3] then return end
        local name = sequence_name(f[1], f[2] or '', f[3])
        call('SREM', b.prefix .. ':seq_failed:' .. name, id)
        call('ZREM', b.prefix .. ':seq:' .. name, id)
        call('ZREM', b.prefix .. ':blocked', id)
        sequence_touch(b, name)
    end

    -- ---- settling ----

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
        call('HDEL', b.prefix .. ':seq_failing', name)
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
            call('ZADD', b.prefix .. ':blocked', 'NX', b.now_text, id)
        elseif not expires then
            local retention = retention_of(b, type, 'Error')
            call('HSET', b.ops .. id, 'ExpiresAt', integer(b.now + retention * 1000))
            edited(b, id, 'Error')
            done_add(b, retention, id)
            call('ZREM', b.prefix .. ':blocked', id)
        end
    end

    -- It is in `pending`, and somebody else goes first.
    local function withdraw(b, type, id)
        local status = call('HGET', b.ops .. id, 'Status')
        if status == 'New' then
            transition(b, type, id, 'New', 'Waiting')
        elseif status == 'Waiting' then
            call('ZREM', b.prefix .. ':pending:' .. type, id)
        end
        lane_unready(b, type, id)
    end

    -- The member that may run now; nil: none.
    local function next_of(b, name, key)
        if call('EXISTS', b.prefix .. ':seq_active:' .. name) == 1 then return nil end
        local id = call('ZRANGE', key, 0, 0)[1]
        local status = id and call('HGET', b.ops .. id, 'Status')
        return (status == 'New' or status == 'Waiting') and id or nil
    end

    function sequence_settle(b, name)
        local p, key, type = b.prefix, b.prefix .. ':seq:' .. name, name:match('^[^:]+')
        local failing = call('HGET', p .. ':seq_failing', name)
        if failing then failing = fail_rest(b, name, key, failing) end
        local failed = call('SMEMBERS', p .. ':seq_failed:' .. name)
        table.sort(failed)
        for _, id in ipairs(failed) do hold(b, name, key, type, id) end
        local released = call('HGET', p .. ':seq_released', name) or nil
        local id = not failing and next_of(b, name, key) or nil
        if released == id then return end
        if released then withdraw(b, type, released) end
        if not id then return call('HDEL', p .. ':seq_released', name) end
        ready_id(b, type, id)
        call('HSET', p .. ':seq_released', name, id)
    end

    -- Goes on with what a failure ends. Answers whether there is more.
    function sequences_tick(b)
        local names = call('HKEYS', b.prefix .. ':seq_failing')
        if not names[1] then return false end
        table.sort(names)
        for n = 1, math.min(#names, 5) do sequence_touch(b, names[n]) end
        flush(b)
        return call('EXISTS', b.prefix .. ':seq_failing') == 1
    end
end
