-- Pause and resume, of a Type or of a ParentKey: `paused` holds "T:<Type>" and "P:<ParentKey>" -> "time reason". A
-- claim moves what it meets aside: Waiting, out of `pending`, into aside:<that name>. A resumed name stands in `resuming`,
-- by the time when it was paused, until tick has put back all that lies aside for it.
local pause_apply, pause_check, pause_of, pause_aside, pause_forget, resume_some
do
    local RESUME_SLICE = 500

    function pause_apply(b, kind, type, parent, reason)
        local name = type ~= '' and 'T:' .. type or 'P:' .. parent
        if kind == 'pause' then
            call('HSET', b.prefix .. KEY.PAUSED, name, b.now_text .. ' ' .. reason)
            call('ZREM', b.prefix .. KEY.RESUMING, name)
        else
            local paused = call('HGET', b.prefix .. KEY.PAUSED, name)
            if not paused then return end
            call('HDEL', b.prefix .. KEY.PAUSED, name)
            call('ZADD', b.prefix .. KEY.RESUMING, paused:match('^%d+'), name)
        end
    end

    -- Is anything paused at all? Asked once a call; pause_of is for those only that find so.
    function pause_check(b)
        b.paused = call('EXISTS', b.prefix .. KEY.PAUSED) == 1
    end

    -- What pauses this Type or ParentKey; nil: nothing does.
    function pause_of(b, type, parent)
        local paused = b.prefix .. KEY.PAUSED
        if call('HEXISTS', paused, 'T:' .. type) == 1 then return 'T:' .. type end
        if parent and call('HEXISTS', paused, 'P:' .. parent) == 1 then return 'P:' .. parent end
        return nil
    end

    -- NX: a call may come to one again, hinted and as one of the oldest in `pending`.
    function pause_aside(b, name, type, id, status, since)
        call('ZADD', b.prefix .. KEY.ASIDE .. name, 'NX', since, id)
        if status == 'New' then return transition(b, type, id, 'New', 'Waiting') end
        call('ZREM', b.prefix .. KEY.PENDING .. type, id)
    end

    -- It ended while it may have lain aside.
    function pause_forget(b, rec)
        if rec.status ~= 'Waiting' then return end
        if call('EXISTS', b.prefix .. KEY.PAUSED, b.prefix .. KEY.RESUMING) == 0 then return end
        call('ZREM', b.prefix .. KEY.ASIDE .. 'T:' .. rec.type, rec.id)
        local parent = call('HGET', b.ops .. rec.id, 'ParentKey')
        if parent then call('ZREM', b.prefix .. KEY.ASIDE .. 'P:' .. parent, rec.id) end
    end

    -- Back into `pending`, unless it has gone another way since, or is held by something else. since: when it was released.
    local function put_back(b, id, since, paused_at)
        local f = call('HMGET', b.ops .. id, LAID_ASIDE.NAMES)
        local type, parent, group = f[LAID_ASIDE.TYPE], f[LAID_ASIDE.PARENT_KEY], f[LAID_ASIDE.SEQUENCE_GROUP]
        if f[LAID_ASIDE.STATUS] ~= 'Waiting' then return end
        if group then
            local name = sequence_name(type, parent or '', group)
            if call('HGET', b.prefix .. KEY.SEQ_RELEASED, name) ~= id then return end
        end
        if not lane_lets(b, type, id, f[LAID_ASIDE.MORE], parent) then return end
        if call('ZSCORE', b.prefix .. KEY.PENDING .. type, id) then return end
        release(b, type, id)
        count_waited(b, 'pause', b.now - math.max(since, paused_at))
    end

    -- Answers whether there is more. What is under another pause as well is moved aside by the next claim.
    function resume_some(b)
        local resuming = b.prefix .. KEY.RESUMING
        local first = call('ZRANGE', resuming, 0, 0, 'WITHSCORES')
        local name, paused_at = first[1], tonumber(first[2] or nil)
        if not name then return false end
        local aside, ids = b.prefix .. KEY.ASIDE .. name, {}
        local list = call('ZRANGE', aside, 0, RESUME_SLICE - 1, 'WITHSCORES')
        for n = 1, #list, 2 do
            ids[#ids + 1] = list[n]
            put_back(b, list[n], tonumber(list[n + 1]), paused_at)
        end
        if ids[1] then call('ZREM', aside, unpack(ids)) end
        if #ids < RESUME_SLICE then call('ZREM', resuming, name) end
        flush(b)
        return call('EXISTS', resuming) == 1
    end
end
