-- bgop_why: what one operation waits for, in words and as data.
--   keys  none or bgop:{s}    args  Id
--   ->    {"status","reason","blockedBy":[Ids],"nextAttemptAt","mode"}; status null: no record
--   errors MALFORMED_ID
-- Answers also while the shard replays its log: mode says so, and the answer is what Redis knows so far.
read.part({'bgop_why'}, function()
    local BLOCKERS_MAX, LOOKED_AT_MAX = 20, 200

    local function seconds(ms)
        if ms < 10000 then return string.format('%.1f s', ms / 1000) end
        return string.format('%.0f s', ms / 1000)
    end

    -- A moment as people read it: in 12.0 s (2026-11-23T10:00:00.000+0000).
    local function moment(ms, now)
        local date = read.date(integer(ms))
        if ms > now then return 'in ' .. seconds(ms - now) .. ' (' .. date .. ')' end
        return seconds(now - ms) .. ' ago (' .. date .. ')'
    end

    -- Predecessors in its sequence group that are not finished: they hold it.
    local function predecessors(o)
        local h = o.h
        if not h.SequenceGroup then return {} end
        local index = o.prefix .. KEY.SEQ .. sequence_name(h.Type, h.ParentKey or '', h.SequenceGroup)
        local rank = call('ZRANK', index, h.id)
        if not rank or rank == 0 then return {} end
        return call('ZRANGE', index, 0, math.min(rank, BLOCKERS_MAX) - 1)
    end

    -- The first of its group, while a higher number that was there before it runs.
    local function active_of(o)
        local h = o.h
        if not h.SequenceGroup then return nil end
        local name = sequence_name(h.Type, h.ParentKey or '', h.SequenceGroup)
        local ids = call('SMEMBERS', o.prefix .. KEY.SEQ_ACTIVE .. name)
        return ids[1] and ids or nil
    end

    local function pause_reason(o)
        local paused, h = o.prefix .. KEY.PAUSED, o.h
        if call('HEXISTS', paused, 'T:' .. h.Type) == 1 then
            return 'its Type ' .. read.quote(h.Type) .. ' is paused'
        end
        if h.ParentKey and call('HEXISTS', paused, 'P:' .. h.ParentKey) == 1 then
            return 'its ParentKey ' .. read.quote(h.ParentKey) .. ' is paused'
        end
        return call('EXISTS', o.prefix .. KEY.RESUMING) == 1 and 'was paused, and is about to be released' or nil
    end

    local function plural(number, one) return number .. ' ' .. one .. (number == 1 and '' or 's') end

    local function merges(h) return (read.type_now(h).merge_max or 1) > 1 end

    -- Trouble of its own, or of a group that it was in: since then it runs without others (group.lua).
    local function alone_reason(h)
        if h.alone then return 'it runs alone, after an execution group that failed as a whole' end
        if h.lost or h.crashes then return 'it runs alone, after an attempt that was lost or crashed' end
        if (tonumber(h.RetryCount) or 0) >= 2 then return 'it runs alone from its second retry on' end
    end

    -- What its lane says: of a ParentKey one execution at a time (where the Type merges), or so many as its limit.
    local function lane_reason(o)
        local h = o.h
        local lane = LANED[h.more] and h.ParentKey and lane_name(h.Type, h.ParentKey)
        if not lane then return nil end
        local rank = call('ZRANK', o.prefix .. KEY.LANE .. lane, h.id)
        if not rank then return nil end
        local out = call('SMEMBERS', o.prefix .. KEY.LANE_OUT .. lane)
        table.sort(out)
        local limit, runs = read.type_now(h).max_running_per_parent or 0, 0
        local most = merges(h) and 1 or limit > 0 and limit or #out
        for i = 1, math.min(#out, LOOKED_AT_MAX) do
            if call('HGET', o.prefix .. KEY.OP .. out[i], 'Status') == 'Running' then runs = runs + 1 end
        end
        local what = runs > 0 and plural(runs, 'running execution') or plural(#out, 'claimable one')
        local reason = string.format('waits for its turn: %s of ParentKey %s (at most %d), %d before it', what,
                                     read.quote(h.ParentKey), most, rank)
        for _, more in ipairs({pause_reason(o) or '', merges(h) and alone_reason(h) or ''}) do
            if more ~= '' then reason = reason .. '; ' .. more end
        end
        return reason, {unpack(out, 1, BLOCKERS_MAX)}
    end

    -- The leader of the group it runs in, or its followers when it leads one.
    local function group_reason(h)
        if not h.ExecutionGroup then return '' end
        if h.GroupLeaderId then return ' in the execution group of ' .. h.GroupLeaderId end
        return ', leads an execution group with ' .. plural(tonumber(h.NumFollowers) or 0, 'follower')
    end

    local function attempt(h) return (tonumber(h.token) or 0) % ATTEMPTS end

    -- New and Waiting: claimable, or held until something else ends.
    local function why_waiting(o)
        local h, again = o.h, o.h.Status == 'Waiting' and 'released for another attempt' or 'claimable'
        local released = call('ZSCORE', o.prefix .. KEY.PENDING .. h.Type, h.id)
        if released then
            local before = call('ZRANK', o.prefix .. KEY.PENDING .. h.Type, h.id)
            local reason = string.format('%s since %s: waits for a worker that serves %s, %d before it here', again,
                                         moment(tonumber(released), o.now), h.Type, before)
            if not read.type_is_served(h.shard, h.Type, o.now) then
                reason = reason .. '; no live worker serves this Type'
            end
            local alone = LANED[h.more] and merges(h) and alone_reason(h)
            return alone and reason .. '; ' .. alone or reason, {}
        end
        local blockers = predecessors(o)
        local active = #blockers == 0 and active_of(o) or nil
        if active then
            return 'waits for one of sequence group ' .. read.quote(h.SequenceGroup) .. ' that runs', active
        end
        if #blockers > 0 then
            return string.format('waits for %d unfinished before it in sequence group %s', #blockers,
                                 read.quote(h.SequenceGroup)), blockers
        end
        local reason, others = lane_reason(o)
        if reason then return reason, others end
        return pause_reason(o) or 'held until something else ends', {}
    end

    local function why_running(o)
        local h = o.h
        local reason = string.format('attempt %d runs at %s%s', attempt(h), h.WorkerUri or 'a worker', group_reason(h))
        if h.StartedAt then reason = reason .. ', started ' .. moment(tonumber(h.StartedAt), o.now) end
        local deadline = call('ZSCORE', o.prefix .. KEY.RUNNING, h.id)
        if deadline then reason = reason .. ', its lease ends ' .. moment(tonumber(deadline), o.now) end
        if call('HEXISTS', o.prefix .. KEY.CANCELS, h.id) == 1 then reason = reason .. ', cancel requested' end
        return reason, {}
    end

    local function why_error(o, due)
        local h, text = o.h, read.quote(o.h.Error or '')
        if due then
            local limit = read.field('RetryLimit').value(h)
            return string.format('attempt %d failed (%s): retry %s of %s is due %s', attempt(h), text,
                                 h.RetryCount or '0', limit, moment(tonumber(due), o.now)), {}
        end
        local reason = string.format('failed for good after %s retries: %s', h.RetryCount or '0', text)
        if h.SequenceGroup and call('ZSCORE', o.prefix .. KEY.BLOCKED, h.id) then
            local name = sequence_name(h.Type, h.ParentKey or '', h.SequenceGroup)
            local behind = call('ZREVRANK', o.prefix .. KEY.SEQ .. name, h.id) or 0
            reason = string.format('%s; %d behind it in sequence group %s wait for its redrive or cancel', reason,
                                   behind, read.quote(h.SequenceGroup))
        end
        return reason, {}
    end

    local function ended(o, words)
        local reason = words
        if o.h.ExpiresAt then reason = reason .. '; to be removed ' .. moment(tonumber(o.h.ExpiresAt), o.now) end
        return reason, {}
    end

    local WHY = {
        New = why_waiting,
        Waiting = why_waiting,
        Scheduled = function(o, due)
            return 'scheduled: ProcessAfter is ' .. moment(tonumber(o.h.ProcessAfter or due or o.now), o.now), {}
        end,
        Running = why_running,
        Error = why_error,
        Complete = function(o) return ended(o, 'complete') end,
        Canceled = function(o)
            return ended(o, o.h.reason and 'canceled: ' .. read.quote(o.h.reason) or 'canceled')
        end,
        Merged = function(o)
            local h = o.h
            local leader = h.GroupLeaderId or 'its leader'
            if h.ExpiresAt then return ended(o, 'merged: succeeded in the execution group of ' .. leader) end
            if h.ok then
                return 'succeeded in the execution group of ' .. leader .. ', which still runs', {h.GroupLeaderId}
            end
            local reason = string.format('attempt %d runs in the execution group of %s', attempt(h), leader)
            if h.WorkerUri then reason = reason .. ' at ' .. h.WorkerUri end
            if call('HEXISTS', o.prefix .. KEY.CANCELS, h.id) == 1 then reason = reason .. ', cancel requested' end
            return reason, {h.GroupLeaderId}
        end,
    }

    local function answer(status, reason, blockers, due, mode)
        local date = due and '"' .. read.date(integer(tonumber(due))) .. '"' or 'null'
        return '{"status":' .. read.json_text_or_null(status) .. ',"reason":' .. read.json_text(reason) ..
               ',"blockedBy":' .. read.json_texts(blockers) .. ',"nextAttemptAt":' .. date ..
               ',"mode":"' .. mode .. '"}'
    end

    local function record_of(keys, id, shard)
        for _, asked in ipairs(read.shards(keys)) do
            if asked == shard then
                local mode, generation = read.gate(shard)
                read.generation[shard] = generation
                local flat = call('HGETALL', read.prefix(shard) .. KEY.OP .. id)
                if #flat == 0 then return nil, mode end
                local h = {id = id, shard = shard}
                for i = 1, #flat, 2 do h[flat[i]] = flat[i + 1] end
                return h, mode
            end
        end
        return nil, 'EMPTY'
    end

    function read.calls.bgop_why(keys, args)
        if #args ~= 1 then read.fail('MALFORMED_QUERY', 'give one Id') end
        local id, shard = read.id_require(args[WHY.ID])
        local h, mode = record_of(keys, id, shard)
        if not h then
            local reason = 'no record: not read yet, refused (see the topic of rejects), a duplicate of its Name, or ' ..
                           'removed after ExpiresAt'
            if mode ~= 'OPEN' then reason = 'not known so far: shard ' .. shard .. ' is not open yet' end
            return answer(nil, reason, {}, nil, mode)
        end
        local o = {h = h, prefix = read.prefix(shard), now = read.now({shard})}
        local timed = h.Status == 'Scheduled' or h.Status == 'Error'
        local due = timed and call('ZSCORE', o.prefix .. KEY.DUE, id) or nil
        local reason, blockers = WHY[h.Status](o, due)
        return answer(h.Status, reason, blockers, due, mode)
    end
end)
