-- Sequence groups: of the unfinished members of (Type, ParentKey, SequenceGroup) the first by number, then Id, may run
-- when none of them runs; the others are Waiting and not in `pending`. Whoever changes a member names its group; flush
-- then looks at each of these groups once (sequence_settle.lua) and makes `pending` agree with it. Keys, all by
-- <Type>:<ParentKey>:<SequenceGroup>, and all absent for operations without a group:
--   seq:<group>         zset by number: unfinished members, and those that failed for good and hold the group
--   seq_active:<group>  set: members that run (several in one execution group, or after Redis went backwards)
--   seq_failed:<group>  set: members that failed for good and hold the group
--   seq_released        hash: group -> the member that is in `pending`, or waits for its turn in its lane
--   seq_failing         hash: group -> the member whose failure ends all behind it, while that goes on
--   blocked             zset by time: members that failed for good and have others behind them
local sequence_touch, sequence_add, sequence_is_open, sequence_claimed, sequence_moved, sequence_failed
local sequence_is_held_by, sequence_expired, sequences_open, sequence_ended
do
    function sequence_touch(b, name)
        local sequences = b.sequences
        if sequences[name] then return end
        sequences[name] = true
        sequences[#sequences + 1] = name
    end

    function sequence_add(b, name, number, id)
        call('ZADD', b.prefix .. KEY.SEQ .. name, number, id)
        sequence_touch(b, name)
    end

    -- May it run as soon as it is due?
    function sequence_is_open(b, name, id)
        local p = b.prefix
        return call('ZRANGE', p .. KEY.SEQ .. name, 0, 0)[1] == id and
            call('EXISTS', p .. KEY.SEQ_ACTIVE .. name) == 0 and call('HEXISTS', p .. KEY.SEQ_FAILING, name) == 0
    end

    -- The same for members of these groups that an ingest records, when the groups know all of the call. Answers by group
    -- who may: '': nobody.
    function sequences_open(b, names)
        local p, runs, open = b.prefix, {}, {}
        for n, name in ipairs(names) do runs[n] = p .. KEY.SEQ_ACTIVE .. name end
        local failing = call('HMGET', p .. KEY.SEQ_FAILING, unpack(names))
        local some_run = call('EXISTS', unpack(runs)) > 0
        for n, name in ipairs(names) do
            local closed = failing[n] or some_run and call('EXISTS', runs[n]) == 1
            open[name] = not closed and call('ZRANGE', p .. KEY.SEQ .. name, 0, 0)[1] or ''
        end
        return open
    end

    local function unrelease(b, name, id)
        local released = b.prefix .. KEY.SEQ_RELEASED
        if call('HGET', released, name) == id then call('HDEL', released, name) end
    end

    function sequence_claimed(b, name, id)
        call('SADD', b.prefix .. KEY.SEQ_ACTIVE .. name, id)
        b.unreleased[#b.unreleased + 1] = name
    end

    local function leave_status(b, rec)
        local p, name, id = b.prefix, rec.sequence, rec.id
        if rec.status == 'Running' or rec.status == 'Merged' then
            call('SREM', p .. KEY.SEQ_ACTIVE .. name, id)
        elseif rec.status == 'New' or rec.status == 'Waiting' then
            unrelease(b, name, id)
        elseif rec.status == 'Error' and call('SREM', p .. KEY.SEQ_FAILED .. name, id) == 1 then
            call('ZREM', p .. KEY.BLOCKED, id)
        elseif rec.status == 'Error' and call('HGET', p .. KEY.SEQ_FAILING, name) == id then
            call('HDEL', p .. KEY.SEQ_FAILING, name)
        end
        sequence_touch(b, name)
    end

    -- A member goes from rec.status to another one (a failure for good: sequence_failed).
    function sequence_moved(b, rec, to)
        if not rec.sequence then return end
        leave_status(b, rec)
        local key = b.prefix .. KEY.SEQ .. rec.sequence
        if to == 'Complete' or to == 'Canceled' or to == 'Merged' then
            call('ZREM', key, rec.id)
        else
            call('ZADD', key, rec.number, rec.id)
        end
        if to == 'Running' then call('SADD', b.prefix .. KEY.SEQ_ACTIVE .. rec.sequence, rec.id) end
    end

    -- One that ran completed: as sequence_moved, for who knows the Id only.
    function sequence_ended(b, id)
        local f = call('HMGET', b.ops .. id, SEQUENCED_BY.NAMES)
        local name = sequence_name(f[SEQUENCED_BY.TYPE], f[SEQUENCED_BY.PARENT_KEY] or '', f[SEQUENCED_BY.SEQUENCE_GROUP])
        call('SREM', b.prefix .. KEY.SEQ_ACTIVE .. name, id)
        call('ZREM', b.prefix .. KEY.SEQ .. name, id)
        sequence_touch(b, name)
    end

    -- The failure that ends all behind it; of two the one in front.
    local function fail_from(b, rec, key)
        local failing = b.prefix .. KEY.SEQ_FAILING
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
        local key, settings = b.prefix .. KEY.SEQ .. rec.sequence, b.types.current[rec.type] or {}
        local policy = rec.swept and 'skip' or settings.on_sequence_failure or 'hold'
        leave_status(b, rec)
        if policy == 'skip' then return call('ZREM', key, rec.id) end
        call('ZADD', key, rec.number, rec.id)
        if policy == 'fail' then return fail_from(b, rec, key) end
        call('SADD', b.prefix .. KEY.SEQ_FAILED .. rec.sequence, rec.id)
    end

    -- Does it hold its group, having failed for good? Then it may still be canceled.
    function sequence_is_held_by(b, rec)
        return rec.sequence and rec.status == 'Error' and
            call('SISMEMBER', b.prefix .. KEY.SEQ_FAILED .. rec.sequence, rec.id) == 1
    end

    -- An expired record that may have held its group.
    function sequence_expired(b, id)
        local f = call('HMGET', b.ops .. id, SEQUENCED_BY.NAMES)
        local group = f[SEQUENCED_BY.SEQUENCE_GROUP]
        if not group then return end
        local name = sequence_name(f[SEQUENCED_BY.TYPE], f[SEQUENCED_BY.PARENT_KEY] or '', group)
        call('SREM', b.prefix .. KEY.SEQ_FAILED .. name, id)
        call('ZREM', b.prefix .. KEY.SEQ .. name, id)
        call('ZREM', b.prefix .. KEY.BLOCKED, id)
        sequence_touch(b, name)
    end
end
