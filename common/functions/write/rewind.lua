-- bgop_rewind: Kafka went backwards. Puts one fence of the shard back to where the log and what was applied part.
--   keys  1 shard prefix
--   args  generation, field (s<partition> of submit, t of the status log), from, next, fp_offset, fp_crc, fp_timestamp
--   ->    OK, now  |  FENCE, next, fp_offset, fp_crc, fp_timestamp when the fence does not stand at `from`
-- Open and recovering. What the log does not hold any more cannot be waited for: the marks of that log fall too.
-- next may lie above `from`: a person gave up what retention has taken (`bgopctl recover`).
do
    local function check(args)
        local field, from, to = args[REWIND.FIELD], args[REWIND.FROM], args[REWIND.NEXT]
        if #args ~= REWIND.SIZE then return 'arguments: ' .. #args end
        if field ~= 't' and not (field:sub(1, 1) == 's' and whole(field:sub(2))) then return 'fence: ' .. field end
        if not whole(from) or not whole(to) then return 'from, next' end
        local fence = table.concat(args, ' ', REWIND.NEXT, REWIND.FP_TIMESTAMP)
        if not fence:find('^%d+ %-?%d+ %d+ %d+$') then return 'fingerprint: ' .. fence end
        return nil, fence
    end

    local function marks_lower(prefix, field, to)
        local gate = prefix .. KEY.GATE
        local marks = call('HMGET', gate, GATE_MARKS.NAMES)
        if field == 't' then
            if tonumber(marks[GATE_MARKS.STATUS] or 0) > tonumber(to) then call('HSET', gate, 'status_mark', to) end
            return
        end
        local lowered = (marks[GATE_MARKS.SUBMIT] or ''):gsub('(%d+):(%d+)', function(partition, mark)
            if 's' .. partition == field and tonumber(mark) > tonumber(to) then return partition .. ':' .. to end
        end)
        if lowered ~= marks[GATE_MARKS.SUBMIT] then call('HSET', gate, 'submit_marks', lowered) end
    end

    local function rewind(keys, args)
        local gate, refusal = gate_pass(keys, args, false)
        if not gate then return refusal end
        local wrong, fence = check(args)
        if wrong then return invalid('%s', wrong) end
        local fences, field = gate.prefix .. KEY.FENCES, args[REWIND.FIELD]
        local position, offset, crc, timestamp = fence_read(call('HGET', fences, field))
        if tonumber(position) ~= tonumber(args[REWIND.FROM]) then return {'FENCE', position, offset, crc, timestamp} end
        call('HSET', fences, field, fence)
        marks_lower(gate.prefix, field, args[REWIND.NEXT])
        return {'OK', gate.now}
    end

    redis.register_function{function_name = 'bgop_rewind', callback = rewind, flags = {'allow-oom'}}
end
