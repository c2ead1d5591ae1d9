-- bgop_apply: one batch of the shard's status log (outcomes, verdicts, commands), and the move of its fence.
--   keys  1 shard prefix
--   args  generation, from, next, fp_offset, fp_crc, fp_timestamp, (kind, Id, token, StartedAt, duration_ms, WorkerUri,
--         text, retry_after_ms, result, leader Id, command id)*
--   ->    OK, now, (Type, Ids to hint)*  |  FENCE, next, fp_offset, fp_crc, fp_timestamp
-- Open and recovering.
do
    local FIRST = APPLY.SIZE + 1

    local function check(args)
        if #args < APPLY.SIZE or not fence_move(args, APPLY.FROM) then return 'move of the status fence' end
        local count = (#args - APPLY.SIZE) / ENTRY.SIZE
        if count ~= math.floor(count) then return 'entries: incomplete' end
        if count > MAX_ITEMS then return 'entries: more than ' .. MAX_ITEMS end
        for i = FIRST, #args, ENTRY.SIZE do
            local kind, id, token = args[i + ENTRY.KIND], args[i + ENTRY.ID], args[i + ENTRY.TOKEN]
            if PAUSES[kind] then
                if id ~= '' or (args[i + PAUSE.PARENT_KEY] == '') == (args[i + PAUSE.TYPE] == '') then
                    return 'pause: of a Type or of a ParentKey'
                end
            else
                if not OUTCOMES[kind] and not COMMANDS[kind] then return 'kind: ' .. kind end
                if #id ~= ID_SIZE then return 'Id: ' .. id end
            end
            if not whole(token) then return 'token: ' .. token end
        end
    end

    -- The usual case, a success of what runs under this very token, needs nothing of the record: the lease says it.
    local function complete(b, e, i, lease)
        local id, type, payload, lane = e[i + ENTRY.ID], lease.type, lease.payload, lease.lane
        local started, duration, finished = whole(e[i + ENTRY.STARTED_AT]), whole(e[i + ENTRY.DURATION]), b.now
        if started and duration then
            finished = math.min(started + duration, b.now)
            stat_time(b, 'r', duration)
        end
        b.touched[id] = b.writes
        end_complete(b, type, id, 'Running', finished, payload, e[i + ENTRY.RESULT])
        if lane then lane_done(b, lane, id) end
    end

    -- Type, payload and lane of a lease under this token, nil: it is another's, or its end concerns others than its lane.
    -- Leases of a batch end alike.
    local function lease_read(known, lease, token)
        if lease:sub(1, #token) ~= token then return nil end
        local rest = lease:sub(#token + 1)
        local read = known[rest]
        if not read then
            local type, marks, parent = rest:match('^ %S+ %S+ (%S+) (%S+) ?(.*)$')
            if not type or #marks > 1 and marks:sub(2) ~= 'l' then return nil end
            read = {type = type, payload = marks:sub(1, 1), lane = #marks > 1 and lane_name(type, parent) or nil}
            known[rest] = read
        end
        return read
    end

    local function apply_all(b, args)
        local ids, known, n = {}, {}, 0
        for i = FIRST, #args, ENTRY.SIZE do
            n = n + 1
            ids[n] = args[i + ENTRY.ID]
        end
        if n == 0 then return end
        b.cancels = call('EXISTS', b.prefix .. KEY.CANCELS) == 1
        local leases = call('HMGET', b.prefix .. KEY.LEASES, unpack(ids))
        n = 0
        for i = FIRST, #args, ENTRY.SIZE do
            n = n + 1
            -- What was read above is old for an Id that this call has met before.
            local lease = args[i + ENTRY.KIND] == 'ok' and leases[n] and not b.touched[ids[n]] and
                lease_read(known, leases[n], args[i + ENTRY.TOKEN])
            if lease then complete(b, args, i, lease) else entry_apply(b, args, i) end
        end
    end

    local function apply(keys, args)
        local gate, refusal = gate_pass(keys, args, false)
        if not gate then return refusal end
        local wrong = check(args)
        if wrong then return invalid('%s', wrong) end
        local b = batch_open(gate)
        local position, offset, crc, timestamp = fence_read(call('HGET', b.prefix .. KEY.FENCES, 't'))
        if tonumber(position) ~= tonumber(args[APPLY.FROM]) then
            return {[REFUSED.SAYS] = 'FENCE', [REFUSED.NEXT] = position, [REFUSED.FP_OFFSET] = offset,
                    [REFUSED.FP_CRC] = crc, [REFUSED.FP_TIMESTAMP] = timestamp}
        end
        apply_all(b, args)
        call('HSET', b.prefix .. KEY.FENCES, 't', fence_move(args, APPLY.FROM))
        finish(b)
        return batch_answer(b, answer_ok(b.now))
    end

    redis.register_function{function_name = 'bgop_apply', callback = apply, flags = {'allow-oom'}}
end
