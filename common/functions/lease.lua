-- bgop_renew: one call per worker instance and shard extends the leases of all that it runs.
--   keys  1 shard prefix      args  generation, instance, WorkerUri, types, slots, (Id, token)*
--   ->    OK, now, lease_ms, live instances, l, lost Id x l, (Id, reason)* asked to be canceled
-- bgop_reassert: the same after a recovery (open and recovering): what Redis forgot or knows of an older attempt of is
-- taken over; what is not recorded yet is parked.
--   args  generation, instance, WorkerUri, types, slots, (Id, token, Type, StartedAt)*
-- Lost: another attempt holds it, or it has ended; the worker stops it and reports nothing it could lose.
local held_again
do
    -- Extends the lease of one that runs, given its lease's text. A leader's cancels are its followers' too.
    local function extend(b, id, lease)
        local members = b.cancels and group_of_lease(b, id, lease) or {}
        for n = 2, #members do b.followers[#b.followers + 1] = members[n] end
        local backstop = tonumber(lease:match('^%S+ (%S+)'))
        b.extended[#b.extended + 1] = integer(math.min(b.now + b.lease_ms, backstop))
        b.extended[#b.extended + 1] = id
    end

    -- A worker says it runs this attempt. false: it is lost to it.
    function held_again(b, id, token, started, instance, uri)
        meet(b, id)
        local rec, number = record_load(b, id), tonumber(token)
        if not rec then
            park_add(b, id, {'held', id, token, started, instance, uri})
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

    local function is_parked(b, id, token)
        local text = call('HGET', b.prefix .. ':parked', id)
        if not text then return false end
        for _, entry in ipairs(cjson.decode(text)) do
            if entry[1] == 'held' and entry[3] == token then return true end
        end
        return false
    end

    -- The Ids of the leases at these places. An older attempt that its worker still holds (it has ended, but the report is
    -- not known to be delivered) is passed over in silence: its Id would be taken for the newer attempt's.
    local function lost_ids(args, size, lost)
        if not lost[1] then return lost end
        local newest, ids = {}, {}
        for i = 6, #args, size do
            local id, token = args[i], tonumber(args[i + 1])
            if not newest[id] or newest[id] < token then newest[id] = token end
        end
        for _, i in ipairs(lost) do
            if tonumber(args[i + 1]) == newest[args[i]] then ids[#ids + 1] = args[i] end
        end
        return ids
    end

    local function renew_all(b, args)
        local ids, lost = {}, {}
        for i = 6, #args, 2 do ids[#ids + 1] = args[i] end
        if not ids[1] then return ids, lost end
        local leases = call('HMGET', b.prefix .. ':leases', unpack(ids))
        for n, id in ipairs(ids) do
            local token, lease = args[5 + n * 2], leases[n]
            if lease and lease:find(token .. ' ', 1, true) == 1 then
                extend(b, id, lease)
            elseif not is_parked(b, id, token) then
                lost[#lost + 1] = 4 + n * 2
            end
        end
        if b.extended[1] then call('ZADD', b.prefix .. ':running', 'XX', unpack(b.extended)) end
        return ids, lost_ids(args, 2, lost)
    end

    local function reassert_all(b, args)
        local ids, lost, leases = {}, {}, {}
        for i = 6, #args, 4 do
            local id, token = args[i], args[i + 1]
            ids[#ids + 1] = id
            local lease = not b.touched[id] and call('HGET', b.prefix .. ':leases', id)
            if lease and lease:find(token .. ' ', 1, true) == 1 then
                extend(b, id, lease)
            elseif held_again(b, id, token, args[i + 3], args[2], args[3]) then
                leases[#leases + 1] = id
            else
                lost[#lost + 1] = i
            end
        end
        if b.extended[1] then call('ZADD', b.prefix .. ':running', 'XX', unpack(b.extended)) end
        if leases[1] then
            call('XADD', b.prefix .. ':worker:' .. args[3], b.stream_id, 'ids', table.concat(leases, ' '))
            call('ZADD', b.prefix .. ':uris', 'NX', b.now_text, args[3])
        end
        return ids, lost_ids(args, 4, lost)
    end

    local function answer_of(b, ids, lost)
        local live = call('ZCOUNT', b.prefix .. ':workers', '(' .. integer(b.now - b.lease_ms), '+inf')
        local answer = {'OK', b.now, b.lease_ms, live, #lost, unpack(lost)}
        if ids[1] and b.cancels then
            for _, id in ipairs(b.followers) do ids[#ids + 1] = id end
            for first = 1, #ids, 1000 do
                local last = math.min(first + 999, #ids)
                local reasons = call('HMGET', b.prefix .. ':cancels', unpack(ids, first, last))
                for n = first, last do
                    local reason = reasons[n - first + 1]
                    if reason then answer[#answer + 1], answer[#answer + 2] = ids[n], reason end
                end
            end
        end
        return answer
    end

    local function check(args, size)
        if (args[2] or '') == '' or args[2]:find('%s') then return 'instance: ' .. tostring(args[2]) end
        if not args[3] or not args[4] or not whole(args[5]) then return 'WorkerUri, types, slots' end
        local count = (#args - 5) / size
        if count ~= math.floor(count) then return 'leases: incomplete' end
        if count > MAX_ITEMS then return 'leases: more than ' .. MAX_ITEMS end
        for i = 6, #args, size do
            if #args[i] ~= ID_SIZE then return 'Id: ' .. args[i] end
            if not whole(args[i + 1]) then return 'token: ' .. args[i + 1] end
        end
    end

    local function lease_call(keys, args, size, open_only, each)
        local gate, refusal = gate_pass(keys, args, open_only)
        if not gate then return refusal end
        local wrong = check(args, size)
        if wrong then return invalid('%s', wrong) end
        local b = batch_open(gate)
        b.extended, b.followers = {}, {}
        b.cancels = call('EXISTS', b.prefix .. ':cancels') == 1
        worker_seen(b, args[2], args[3], args[4], args[5])
        local ids, lost = each(b, args)
        finish(b)
        return answer_of(b, ids, lost)
    end

    local function renew(keys, args) return lease_call(keys, args, 2, true, renew_all) end
    local function reassert(keys, args) return lease_call(keys, args, 4, false, reassert_all) end

    redis.register_function{function_name = 'bgop_renew', callback = renew, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_reassert', callback = reassert, flags = {'allow-oom'}}
end
