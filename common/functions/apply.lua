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
            if not OUTCOMES[args[i]] and not COMMANDS[args[i]] then return 'kind: ' .. args[i] end
            if #args[i + 1] ~= ID_SIZE then return 'Id: ' .. args[i + 1] end
            if not whole(args[i + 2]) then return 'token: ' .. args[i + 2] end
        end
    end

    -- The usual case, a success of what runs under this very token, needs nothing of the record: the lease says it.
    local function complete(b, e, i, lease)
        local type, payload = lease:match('^%S+ %S+ %S+ (%S+) (%S)$')
        local started, duration, finished = whole(e[i + 3]), whole(e[i + 4]), b.now
        if started and duration then
            finished = math.min(started + duration, b.now)
            stat_time(b, 'r', duration)
        end
        b.touched[e[i + 1]] = true
        end_complete(b, type, e[i + 1], 'Running', finished, payload, e[i + 8])
    end

    local function apply_all(b, args)
        local ids = {}
        for i = FIRST + 1, #args, ENTRY_SIZE do ids[#ids + 1] = args[i] end
        if not ids[1] then return end
        b.cancels = call('EXISTS', b.prefix .. ':cancels') == 1
        local leases, n = call('HMGET', b.prefix .. ':leases', unpack(ids)), 0
        for i = FIRST, #args, ENTRY_SIZE do
            n = n + 1
            local lease, token = leases[n], args[i + 2]
            if lease and args[i] == 'ok' and not b.met[ids[n]] and lease:sub(1, #token + 1) == token .. ' ' then
                complete(b, args, i, lease)
            else
                entry_apply(b, args, i)
            end
            b.met[ids[n]] = true
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
        b.met = {}                              -- Ids of this call: the leases read above are old for a second entry
        apply_all(b, args)
        call('HSET', b.prefix .. ':fences', 't', fence_move(args, 2))
        finish(b)
        return batch_answer(b, {'OK', b.now})
    end

    redis.register_function{function_name = 'bgop_apply', callback = apply, flags = {'allow-oom'}}
end
