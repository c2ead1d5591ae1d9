-- bgop_renew: one call per worker instance and shard extends the leases of all that it runs.
--   keys  1 shard prefix      args  generation, instance, WorkerUri, types, slots, (Id, token)*
--   ->    OK, now, lease_ms, live instances, l, lost Id x l, (Id, reason)* asked to be canceled
-- bgop_reassert: the same after a recovery (open and recovering): what Redis forgot or knows of an older attempt of is
-- taken over; what is not recorded yet is parked.
--   args  generation, instance, WorkerUri, types, slots, (Id, token, Type, StartedAt)*
-- Lost: another attempt holds it, or it has ended; the worker stops it and reports nothing it could lose.
--
-- A lease stands in two places: `leases` says what runs (token, backstop, instance ...), `running` until when. Renewing moves
-- the second only, one ZADD for all. The first is touched once, when a worker renews beyond the backstop (StartedAt +
-- Timeout + 5 s): it is alive and should have stopped this, so tick will call it timed out, not lost.
local held_again, parked_apply
do
    -- Extends the lease of one that runs, given its lease's text. A leader's cancels are its followers' too. Whose worker
    -- is heard of after the backstop has timed out: that is noted in the lease, and tick judges it.
    local function extend(b, id, lease)
        local members = b.cancels and group_of_lease(b, id, lease) or {}
        for n = 2, #members do b.followers[#b.followers + 1] = members[n] end
        local token, backstop, overdue = lease:match('^(%S+) (%d+)(!?)')
        if overdue == '!' then return end           -- judged, or about to be
        local ends = b.now + b.lease_ms
        if b.now >= tonumber(backstop) then
            ends = b.now
            call('HSET', b.prefix .. KEY.LEASES, id, token .. ' ' .. backstop .. '!' .. lease:sub(#token + #backstop + 2))
        end
        b.extended[#b.extended + 1] = integer(ends)
        b.extended[#b.extended + 1] = id
    end

    -- A worker says it runs this attempt. false: it is lost to it.
    function held_again(b, id, token, started, instance, uri)
        op_touch(b, id)
        local rec, number = record_load(b, id), tonumber(token)
        if not rec then
            park_add(b, id, {[HELD.KIND] = 'held', [HELD.ID] = id, [HELD.TOKEN] = token, [HELD.STARTED_AT] = started,
                             [HELD.INSTANCE] = instance, [HELD.WORKER_URI] = uri})
            return true
        end
        if number < rec.token or number == 0 then return false end
        if number == rec.token then
            if rec.status ~= 'Running' then return false end
        elseif rec.status ~= 'Error' and is_final(b, rec) then
            call('HSET', b.ops .. id, 'token', token)       -- never given again
            return false
        end
        if number > rec.token then
            attempt_forgotten(b, rec)
            count_total(b, 'adopted', 1)
        end
        run_again(b, rec, token, whole(started) or rec.started or b.now, uri, instance)
        return true
    end

    -- What was parked for an operation that is recorded now: an entry of the status log, or a worker's claim.
    function parked_apply(b, entry)
        if entry[PARKED.KIND] ~= 'held' then return entry_apply(b, entry, 1) end
        held_again(b, entry[HELD.ID], entry[HELD.TOKEN], entry[HELD.STARTED_AT], entry[HELD.INSTANCE],
                   entry[HELD.WORKER_URI])
    end

    local function is_parked(b, id, token)
        local text = call('HGET', b.prefix .. KEY.PARKED, id)
        if not text then return false end
        for _, entry in ipairs(cjson.decode(text)) do
            if entry[PARKED.KIND] == 'held' and entry[PARKED.TOKEN] == token then return true end
        end
        return false
    end

    -- The Ids of the leases at these places. An older attempt that its worker still holds (it has ended, but the report is
    -- not known to be delivered) is passed over in silence: its Id would be taken for the newer attempt's.
    local function lost_ids(args, size, lost)
        if not lost[1] then return lost end
        local newest, ids = {}, {}
        for i = RENEW.SIZE + 1, #args, size do
            local id, token = args[i + LEASE.ID], tonumber(args[i + LEASE.TOKEN])
            if not newest[id] or newest[id] < token then newest[id] = token end
        end
        for _, i in ipairs(lost) do
            local id = args[i + LEASE.ID]
            if tonumber(args[i + LEASE.TOKEN]) == newest[id] then ids[#ids + 1] = id end
        end
        return ids
    end

    local function renew_all(b, args)
        local ids, lost = {}, {}
        for i = RENEW.SIZE + 1, #args, LEASE.SIZE do ids[#ids + 1] = args[i + LEASE.ID] end
        if not ids[1] then return ids, lost end
        local leases = call('HMGET', b.prefix .. KEY.LEASES, unpack(ids))
        for n, id in ipairs(ids) do
            local i, lease = RENEW.SIZE + 1 + (n - 1) * LEASE.SIZE, leases[n]
            local token = args[i + LEASE.TOKEN]
            if lease and lease:find(token .. ' ', 1, true) == 1 then
                extend(b, id, lease)
            elseif not is_parked(b, id, token) then
                lost[#lost + 1] = i
            end
        end
        if b.extended[1] then call('ZADD', b.prefix .. KEY.RUNNING, 'XX', unpack(b.extended)) end
        return ids, lost_ids(args, LEASE.SIZE, lost)
    end

    local function reassert_all(b, args)
        local ids, lost, leases = {}, {}, {}
        local instance, uri = args[RENEW.INSTANCE], args[RENEW.WORKER_URI]
        for i = RENEW.SIZE + 1, #args, REASSERT.SIZE do
            local id, token = args[i + REASSERT.ID], args[i + REASSERT.TOKEN]
            ids[#ids + 1] = id
            local lease = not b.touched[id] and call('HGET', b.prefix .. KEY.LEASES, id)
            if lease and lease:find(token .. ' ', 1, true) == 1 then
                extend(b, id, lease)
            elseif held_again(b, id, token, args[i + REASSERT.STARTED_AT], instance, uri) then
                leases[#leases + 1] = id
            else
                lost[#lost + 1] = i
            end
        end
        if b.extended[1] then call('ZADD', b.prefix .. KEY.RUNNING, 'XX', unpack(b.extended)) end
        if leases[1] then
            call('XADD', b.prefix .. KEY.WORKER .. uri, b.stream_id, 'ids', table.concat(leases, ' '))
            call('ZADD', b.prefix .. KEY.URIS, 'NX', b.now_text, uri)
        end
        return ids, lost_ids(args, REASSERT.SIZE, lost)
    end

    local function answer_of(b, ids, lost)
        local live = call('ZCOUNT', b.prefix .. KEY.WORKERS, '(' .. integer(b.now - b.lease_ms), '+inf')
        local answer = answer_ok(b.now)
        answer[RENEW_ANSWER.LEASE_MS], answer[RENEW_ANSWER.WORKERS] = b.lease_ms, live
        answer[RENEW_ANSWER.LOST] = #lost
        for n, id in ipairs(lost) do answer[RENEW_ANSWER.SIZE + n] = id end
        if ids[1] and b.cancels then
            for _, id in ipairs(b.followers) do ids[#ids + 1] = id end
            for first = 1, #ids, 1000 do
                local last = math.min(first + 999, #ids)
                local reasons = call('HMGET', b.prefix .. KEY.CANCELS, unpack(ids, first, last))
                for n = first, last do
                    local reason, at = reasons[n - first + 1], #answer + 1
                    if reason then answer[at + CANCEL.ID], answer[at + CANCEL.REASON] = ids[n], reason end
                end
            end
        end
        return answer
    end

    local function check(args, size)
        local instance = args[RENEW.INSTANCE] or ''
        if instance == '' or instance:find('%s') then return 'instance: ' .. tostring(args[RENEW.INSTANCE]) end
        if #args < RENEW.SIZE or not whole(args[RENEW.SLOTS]) then return 'WorkerUri, types, slots' end
        local count = (#args - RENEW.SIZE) / size
        if count ~= math.floor(count) then return 'leases: incomplete' end
        if count > MAX_ITEMS then return 'leases: more than ' .. MAX_ITEMS end
        for i = RENEW.SIZE + 1, #args, size do
            local id, token = args[i + LEASE.ID], args[i + LEASE.TOKEN]
            if #id ~= ID_SIZE then return 'Id: ' .. id end
            if not whole(token) then return 'token: ' .. token end
        end
    end

    local function lease_call(keys, args, size, open_only, each)
        local gate, refusal = gate_pass(keys, args, open_only, true)       -- who runs something may go on
        if not gate then return refusal end
        local wrong = check(args, size)
        if wrong then return invalid('%s', wrong) end
        local b = batch_open(gate)
        b.extended, b.followers = {}, {}
        b.cancels = call('EXISTS', b.prefix .. KEY.CANCELS) == 1
        worker_seen(b, args[RENEW.INSTANCE], args[RENEW.WORKER_URI], args[RENEW.TYPES], args[RENEW.SLOTS])
        local ids, lost = each(b, args)
        finish(b)
        return answer_of(b, ids, lost)
    end

    local function renew(keys, args) return lease_call(keys, args, LEASE.SIZE, true, renew_all) end
    local function reassert(keys, args) return lease_call(keys, args, REASSERT.SIZE, false, reassert_all) end

    redis.register_function{function_name = 'bgop_renew', callback = renew, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_reassert', callback = reassert, flags = {'allow-oom'}}
end
