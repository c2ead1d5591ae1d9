-- bgop_mend: looks at one subject again, and mends what is still wrong with it. Open only.
--   args  generation, then  record, Id  |  member, index, member  |  group, sequence group  |  lane, lane  |
--         key, name  |
--         count, Type:Status, difference to be added  |  born, Id  |  done, Id  |  name, Name, Id of a holder
--   ->    OK, now, what was mended ...
do
    local load, places, kind_of = agreement.load, agreement.places, agreement.kind_of
    local REMOVE = {Z = 'ZREM', H = 'HDEL', S = 'SREM'}

    -- When the next attempt is due, by the retry law.
    local function retry_at(b, r)
        local rec = record_load(b, r.id)
        local backoff = tonumber(rec.backoff or settings_of(b, rec).retry_backoff_ms or 0)
        local delay = retry_delay_ms(math.max(rec.retries, 1), backoff, b.retry_max_delay_ms)
        return integer((tonumber(r.FinishedAt) or b.now) + delay)
    end

    -- A lease for what runs: whoever holds its token renews it; else it is taken back when it ends.
    local function lease_again(b, r)
        local rec = record_load(b, r.id)
        local group = b.prefix .. ':group:' .. r.id .. '-' .. integer(rec.token % ATTEMPTS)
        call('HDEL', b.prefix .. ':leases', r.id)
        lease_add(b, r.Type, r.id, rec.token, rec.started or b.now,
                  tonumber(rec.timeout or settings_of(b, rec).timeout_ms or 60000), '-',
                  (rec.large and 'L' or rec.payload and 'p' or '-') .. (r.more ~= '1' and r.more or '') ..
                  (call('EXISTS', group) == 1 and 'g' or ''))
        flush(b)
    end

    local function put(b, r, index)
        local name, key = index:match('^[^:]+'), b.prefix .. ':' .. index
        if name == 'leases' or name == 'running' then return lease_again(b, r) end
        if name == 'pending' or name == 'lane' then return ready(b, r.Type, r.id, r.lane) end
        if name == 'lane_out' then
            call('SADD', key, r.id)
            return lane_touch(b, r.lane)
        end
        if name == 'due' then
            local at = r.Status == 'Scheduled' and (r.ProcessAfter or b.now_text) or retry_at(b, r)
            return call('ZADD', key, at, r.id)
        end
        if name == 'errors' then return call('ZADD', key, r.FinishedAt or b.now_text, r.id) end
        if name == 'parent' then return call('ZADD', key, r.SubmittedAt, r.id) end
        if name == 'seq' then return sequence_add(b, r.group, r.SequenceNumber, r.id) end
        if name == 'seq_active' then
            call('SADD', key, r.id)
            return sequence_touch(b, r.group)
        end
        return false
    end

    -- A Name's holder again. What its content was is forgotten: the same again will be refused, not counted.
    local function put_name(b, r)
        local text = call('HGET', b.prefix .. ':names', r.Name)
        local holders = text and cjson.decode(text) or {}
        holders[#holders + 1] = {r.id, r.Type, r.ParentKey or r.SequenceGroup or r.Name, ''}
        call('HSET', b.prefix .. ':names', r.Name, cjson.encode(holders))
    end

    local function parked_apply(b, entry)
        if entry[1] ~= 'held' then return entry_apply(b, entry, 1) end
        held_again(b, entry[2], entry[3], entry[4], entry[5], entry[6])
    end

    -- Looked at when it expires: in one of few streams, at or after its time.
    local function done_again(b, r)
        local left = math.max(math.ceil((tonumber(r.ExpiresAt) - b.now) / 1000), 1)
        for _, seconds in ipairs({60, 3600, 86400, 604800}) do
            if left <= seconds then return done_add(b, seconds, r.id) end
        end
        done_add(b, left, r.id)
    end

    local function expire_again(b, r)
        if r.group then return sequence_touch(b, r.group) end
        local retention = retention_of(b, r.Type, r.Status)
        call('HSET', b.ops .. r.id, 'ExpiresAt', integer(b.now + retention * 1000))
        done_add(b, retention, r.id)
        edited(b, r.id, r.Status)
    end

    -- A follower whose leader runs no more: what succeeded stays Merged beside a leader that completed, else it is
    -- Complete; what did not waits again.
    local function follow_again(b, r, text)
        if text:find('list') then
            return call('RPUSH', b.prefix .. ':group:' .. r.ExecutionGroup, r.id)
        end
        if r.ok then
            local retention = retention_of(b, r.Type, 'Complete')
            local leader = call('HMGET', b.ops .. (r.GroupLeaderId or ''), 'Status', 'ExecutionGroup')
            call('HDEL', b.ops .. r.id, 'ok')
            done_add(b, retention, r.id)
            if leader[1] == 'Complete' and leader[2] == r.ExecutionGroup then
                return transition(b, r.Type, r.id, 'Merged', 'Merged', 'ExpiresAt', integer(b.now + retention * 1000))
            end
            return transition(b, r.Type, r.id, 'Merged', 'Complete', 'FinishedAt', r.ok, 'ExpiresAt',
                              integer(tonumber(r.ok) + retention * 1000))
        end
        local rec = record_load(b, r.id)
        if rec.leader then group_leave(b, rec) end
        wait_again(b, rec, 'alone', '1')
    end

    -- Answers false when a person has to look at it.
    local function mend_index(b, r, index, text)
        local want = places(b, r)
        if index == 'names' then return put_name(b, r) end
        if index == 'group' then return follow_again(b, r, text) end
        if index == 'parked' then return park_take(b, {r.id}, parked_apply) end
        if index == 'ExpiresAt' then return expire_again(b, r) end
        if index == 'blocked' and r.holds then return sequence_touch(b, r.group) end
        if index == 'leases' and text:find('token') then return lease_again(b, r) end
        if not kind_of(index) then return false end
        if want[index] then return put(b, r, index) end
        call(REMOVE[kind_of(index)], b.prefix .. ':' .. index, r.id)
        if r.group then sequence_touch(b, r.group) end
        if r.lane then lane_touch(b, r.lane) end
    end

    -- Removed from an index it does not belong to; what that was the index of is looked at again.
    local function mend_member(b, index, id)
        local name, of = index:match('^([^:]+):?(.*)$')
        if name == 'parked' then return call('ZADD', b.prefix .. ':parked_at', b.now_text, id) end
        call(REMOVE[kind_of(index)], b.prefix .. ':' .. index, id)
        if name == 'seq' or name == 'seq_active' or name == 'seq_failed' then sequence_touch(b, of) end
        if name == 'lane' or name == 'lane_out' then lane_touch(b, of) end
    end

    local function mend_key(b, name)
        local kind, of = name:match('^([^:]+):(.*)$')
        if kind == 'done' then return call('SADD', b.prefix .. ':retentions', of) end
        if kind == 'w' then return call('ZADD', b.prefix .. ':workers', b.now_text, of) end
        if kind == 'worker' then return call('ZADD', b.prefix .. ':uris', b.now_text, of) end
        if kind == 'aside' then return call('ZADD', b.prefix .. ':resuming', b.now_text, of) end
        call('DEL', b.prefix .. ':' .. name)
    end

    local MENDS = {
        record = function(b, answer, id)
            local r = load(b, id)
            local wrong = r and agreement.record(b, r) or {}
            for i = 1, #wrong, 2 do
                if mend_index(b, load(b, id), wrong[i], wrong[i + 1]) ~= false then
                    flush(b)
                    answer[#answer + 1] = wrong[i]
                end
            end
        end,
        member = function(b, answer, index, id)
            if not kind_of(index) or not agreement.member(b, index, id) then return end
            mend_member(b, index, id)
            answer[#answer + 1] = index
        end,
        group = function(b, answer, name)
            if not agreement.group(b, name) then return end
            sequence_touch(b, name)
            answer[#answer + 1] = 'seq_released'
        end,
        lane = function(b, answer, name)
            if not agreement.lane(b, name) then return end
            lane_touch(b, name)
            answer[#answer + 1] = 'lane_out'
        end,
        key = function(b, answer, name)
            if not agreement.key(b, name) then return end
            mend_key(b, name)
            answer[#answer + 1] = name
        end,
        count = function(b, answer, name, difference)
            if not name:find(':') or not tonumber(difference) then return end
            call('HINCRBY', b.prefix .. ':counts', name, difference)
            answer[#answer + 1] = 'counts'
        end,
        born = function(b, answer, id)
            if call('EXISTS', b.ops .. id) == 0 then return end
            call('XADD', b.prefix .. ':born', b.stream_id, 'ids', id)
            answer[#answer + 1] = 'born'
        end,
        name = function(b, answer, name, id)            -- forgotten in a day, as if its holder were removed now
            if call('EXISTS', b.ops .. id) == 1 then return end
            call('XADD', b.prefix .. ':names_gone', b.stream_id, 'id', id, 'name', name)
            answer[#answer + 1] = 'names'
        end,
        done = function(b, answer, id)
            local r = load(b, id)
            if not r or not r.ExpiresAt then return end
            done_again(b, r)
            answer[#answer + 1] = 'done'
        end,
    }

    local function mend(keys, args)
        local gate, refusal = gate_pass(keys, args, true)
        if not gate then return refusal end
        if not MENDS[args[2]] or not args[3] then return invalid('what: %s', tostring(args[2])) end
        local b, answer = batch_open(gate), {'OK', gate.now}
        b.cancels = true
        MENDS[args[2]](b, answer, args[3], args[4] or '')
        finish(b)
        return answer
    end

    redis.register_function{function_name = 'bgop_mend', callback = mend, flags = {'allow-oom'}}
end
