-- bgop_claim: pending -> Running, for one worker instance.
--   keys  1 shard prefix
--   args  generation, instance, WorkerUri, nonce, Type, want, Id*
--   ->    OK, now, lease_ms, (Id, token, timeout_ms, ParentKey, SequenceGroup, SequenceNumber, traceparent, payload,
--         leader Id)*
-- Grants the hinted Ids that are still pending, then up to `want` the oldest released more than 5 s ago (their hint may
-- be lost). The same nonce of an instance and Type again gets the same answer: so a worker asks again after a lost
-- reply. An answer holds about 1 MiB: what does not fit stays pending. Open only.
local worker_seen
do
    local LOST_HINT_MS = 5000
    local GRANT = {'Status', 'token', 'in', 'Timeout', 'v', 'ParentKey', 'SequenceGroup', 'SequenceNumber', 'trace', 'large'}

    -- Ids with the time of their release, at most `want`: hinted ones first.
    local function candidates(b, args, want)
        local pending, list, taken = b.prefix .. ':pending:' .. args[5], {}, {}
        if #args > 6 then
            local scores = call('ZMSCORE', pending, unpack(args, 7))
            for n, score in ipairs(scores) do
                local id = args[n + 6]
                if score and #list < want and not taken[id] then
                    list[#list + 1], taken[id] = {id, tonumber(score)}, true
                end
            end
        end
        if #list >= want then return list end
        local old = call('ZRANGE', pending, '-inf', integer(b.now - LOST_HINT_MS), 'BYSCORE', 'LIMIT', 0, want, 'WITHSCORES')
        for n = 1, #old, 2 do
            if #list < want and not taken[old[n]] then list[#list + 1] = {old[n], tonumber(old[n + 1])} end
        end
        return list
    end

    local function timeout_of(b, type, f)
        local settings = b.types.versions[type .. ':' .. (f[5] or '1')] or b.types.current[type] or {}
        return tonumber(f[4] or settings.timeout_ms or 60000)
    end

    -- Appends one granted operation to the answer; answers the bytes it takes.
    local function grant(b, answer, id, token, timeout, f)
        local payload, n = f[3] or '', #answer
        if f[10] then payload = call('GET', b.prefix .. ':in:' .. id) or '' end
        answer[n + 1], answer[n + 2], answer[n + 3] = id, token, timeout
        answer[n + 4], answer[n + 5], answer[n + 6] = f[6] or '', f[7] or '', f[8] or ''
        answer[n + 7], answer[n + 8], answer[n + 9] = f[9] or '', payload, ''
        return #payload
    end

    -- What this nonce was granted before, as far as it still runs under those leases.
    local function answer_again(b, instance, type, ids)
        local answer = {'OK', b.now, b.lease_ms}
        for id in ids:gmatch('%S+') do
            local f = call('HMGET', b.ops .. id, unpack(GRANT))
            local lease = f[2] and call('HGET', b.prefix .. ':leases', id)
            if lease and lease:find(f[2] .. ' ', 1, true) == 1 and lease:match('^%S+ %S+ (%S+)') == instance then
                grant(b, answer, id, f[2], timeout_of(b, type, f), f)
            end
        end
        return answer
    end

    local function claim_all(b, instance, uri, type, list)
        local answer, ids, bytes, generation = {'OK', b.now, b.lease_ms}, {}, 0, tonumber(b.generation) * ATTEMPTS
        for _, candidate in ipairs(list) do
            local id = candidate[1]
            local f = call('HMGET', b.ops .. id, unpack(GRANT))
            if f[1] ~= 'New' and f[1] ~= 'Waiting' then
                add_to(b.pending_remove, type, id)
            else
                local token = integer(generation + tonumber(f[2] or 0) % ATTEMPTS + 1)
                local timeout = timeout_of(b, type, f)
                transition(b, type, id, f[1], 'Running', 'StartedAt', b.now_text, 'WorkerUri', uri, 'token', token)
                lease_add(b, type, id, token, b.now, timeout, instance, f[10] and 'L' or f[3] and 'p' or '-')
                stat_time(b, 'w', b.now - candidate[2])
                bytes = bytes + grant(b, answer, id, token, timeout, f)
                ids[#ids + 1] = id
                if bytes >= MAX_BYTES then break end
            end
        end
        return answer, ids
    end

    -- A worker instance was heard of. types, slots: for people; nil when the call does not say.
    function worker_seen(b, instance, uri, types, slots)
        call('ZADD', b.prefix .. ':workers', b.now_text, instance)
        if types then
            call('HSET', b.prefix .. ':w:' .. instance, 'uri', uri, 'types', types, 'slots', slots)
        end
    end

    local function check(args)
        if (args[2] or '') == '' or args[2]:find('%s') then return 'instance: ' .. tostring(args[2]) end
        if (args[4] or '') == '' or args[4]:find('%s') then return 'nonce: ' .. tostring(args[4]) end
        local want = whole(args[6])
        if not want or want < 1 or want > MAX_ITEMS then return 'want: ' .. tostring(args[6]) end
        if #args - 6 > MAX_ITEMS then return 'Ids: more than ' .. MAX_ITEMS end
    end

    local function claim(keys, args)
        local gate, refusal = gate_pass(keys, args, true)
        if not gate then return refusal end
        local wrong = check(args)
        if wrong then return invalid('%s', wrong) end
        local b, instance, uri, nonce, type = batch_open(gate), args[2], args[3], args[4], args[5]
        local worker = b.prefix .. ':w:' .. instance
        local last = call('HGET', worker, 'nonce:' .. type)
        if last and last:match('^%S+') == nonce then return answer_again(b, instance, type, last:sub(#nonce + 2)) end

        local answer, ids = claim_all(b, instance, uri, type, candidates(b, args, tonumber(args[6])))
        if ids[1] then
            local joined = table.concat(ids, ' ')
            call('HSET', worker, 'uri', uri, 'nonce:' .. type, nonce .. ' ' .. joined)
            call('ZADD', b.prefix .. ':workers', 'NX', b.now_text, instance)
            call('XADD', b.prefix .. ':worker:' .. uri, b.stream_id, 'ids', joined)
            call('ZADD', b.prefix .. ':uris', 'NX', b.now_text, uri)
        end
        finish(b)
        return answer
    end

    redis.register_function('bgop_claim', claim)
end
