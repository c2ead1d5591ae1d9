-- bgop_apply: one batch of the shard's status log (outcomes, verdicts, commands), and the move of its fence.
--   keys  1 shard prefix
--   args  generation, from, next, fp_offset, fp_crc, fp_timestamp, (kind, Id, token, StartedAt, duration_ms, WorkerUri,
--         text, retry_after_ms, result, leader Id, command id)*
--   ->    OK, now, (Type, Ids to hint)*  |  FENCE, next, fp_offset, fp_crc, fp_timestamp
-- Open and recovering.
do
    local FIRST = 7

    local function check(args)
        if #args < FIRST - 1 or not fence_move(args, 2) then return 'move of the status fence' end
        local count = (#args - FIRST + 1) / ENTRY_SIZE
        if count ~= math.floor(count) then return 'entries: incomplete' end
        if count > MAX_ITEMS then return 'entries: more than ' .. MAX_ITEMS end
        for i = FIRST, #args, ENTRY_SIZE do
            if PAUSES[args[i]] then
                if args[i + 1] ~= '' or (args[i + 8] == '') == (args[i + 9] == '') then
                    return 'pause: of a Type or of a ParentKey'
                end
            else
                if not OUTCOMES[args[i]] and not COMMANDS[args[i]] then return 'kind: ' .. args[i] end
                if #args[i + 1] ~= ID_SIZE then return 'Id: ' .. args[i + 1] end
            end
            if not whole(args[i + 2]) then return 'token: ' .. args[i + 2] end
        end
    end

    -- The usual case, a success of what runs under this very token, needs nothing of the record: the lease says it.
    local function complete(b, e, i, lease)
        local type, payload, lane = lease[1], lease[2], lease[3]
        local started, duration, finished = whole(e[i + 3]), whole(e[i + 4]), b.now
        if started and duration then
            finished = math.min(started + duration, b.now)
            stat_time(b, 'r', duration)
        end
        b.touched[e[i + 1]] = b.writes
        end_complete(b, type, e[i + 1], 'Running', finished, payload, e[i + 8])
        if lane then lane_done(b, lane, e[i + 1]) end
    end

    -- {Type, payload, lane} of a lease under this token, nil: it is another's, or its end concerns others than its lane.
    -- Leases of a batch end alike.
    local function lease_read(known, lease, token)
        if lease:sub(1, #token) ~= token then return nil end
        local rest = lease:sub(#token + 1)
        local read = known[rest]
        if not read then
            local type, marks, parent = rest:match('^ %S+ %S+ (%S+) (%S+) ?(.*)$')
            if not type or #marks > 1 and marks:sub(2) ~= 'l' then return nil end
            read = {type, marks:sub(1, 1), #marks > 1 and lane_name(type, parent) or nil}
            known[rest] = read
        end
        return read
    end

    local function apply_all(b, args)
        local ids, known, n = {}, {}, 0
        for i = FIRST + 1, #args, ENTRY_SIZE do
            n = n + 1
            ids[n] = args[i]
        end
        if n == 0 then return end
        b.cancels = call('EXISTS', b.prefix .. ':cancels') == 1
        local leases = call('HMGET', b.prefix .. ':leases', unpack(ids))
        n = 0
        for i = FIRST, #args, ENTRY_SIZE do
            n = n + 1
            -- What was read above is old for an Id that this call has met before.
            local lease = args[i] == 'ok' and leases[n] and not b.touched[ids[n]] and
                lease_read(known, leases[n], args[i + 2])
            if lease then complete(b, args, i, lease) else entry_apply(b, args, i) end
        end
    end

    local function apply(keys, args)
        local gate, refusal = gate_pass(keys, args, false)
        if not gate then return refusal end
        local wrong = check(args)
        if wrong then return invalid('%s', wrong) end
        local b = batch_open(gate)
        local position, offset, crc, timestamp = fence_read(call('HGET', b.prefix .. ':fences', 't'))
        if tonumber(position) ~= tonumber(args[2]) then return {'FENCE', position, offset, crc, timestamp} end
        apply_all(b, args)
        call('HSET', b.prefix .. ':fences', 't', fence_move(args, 2))
        finish(b)
        return batch_answer(b, {'OK', b.now})
    end

    redis.register_function{function_name = 'bgop_apply', callback = apply, flags = {'allow-oom'}}
end
