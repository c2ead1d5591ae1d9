-- bgop_history: what was counted in each of the last 60 minutes, the present one included.
--   keys  none or bgop:{s}
--   ->    {"minute":m,"accepted":[n..],"finished":[..],"failed":[..],"retried":[..]}: 60 numbers each, the oldest first; m: the
--         epoch minute of the last one, which is not over yet
-- From stats:<minute>, which are there for an hour: so it survives whatever restarts. Those that are over are read once
-- (memory.lua).
read.part({'bgop_history'}, function()
    local MINUTES = 60
    local COUNTED = {'accepted', 'finished', 'failed', 'retried'}

    -- The numbers of COUNTED; false: nothing was counted.
    local function minute_read(stats, minute)
        local counts, any = call('HMGET', stats .. integer(minute), unpack(COUNTED)), false
        for i = 1, #COUNTED do
            any = any or counts[i]
            counts[i] = tonumber(counts[i] or 0)
        end
        return any and counts
    end

    -- Minutes in which nothing happened are not there: most of them, in a quiet queue. So ten are asked for at a time.
    local function minutes_read(stats, minutes, known)
        for from = 1, #minutes, 10 do
            local keys, last = {}, math.min(from + 9, #minutes)
            for i = from, last do keys[#keys + 1] = stats .. integer(minutes[i]) end
            local there = call('EXISTS', unpack(keys)) > 0
            for i = from, last do known[minutes[i]] = there and minute_read(stats, minutes[i]) end
        end
    end

    local function take_shard(sums, shard, gate, first)
        local known, unknown, present = read.memory(shard, gate).minutes, {}, {}
        for minute = first, first + MINUTES - 1 do
            if known[minute] == nil then unknown[#unknown + 1] = minute end
        end
        minutes_read(read.prefix(shard) .. KEY.STATS, unknown, present)
        for minute, counts in pairs(present) do
            if minute < gate.minute then known[minute] = counts end
        end
        for place = 1, MINUTES do
            local minute = first + place - 1
            local counts = known[minute] or present[minute]
            if counts then
                for i = 1, #COUNTED do sums[i][place] = sums[i][place] + counts[i] end
            end
        end
    end

    function read.calls.bgop_history(keys, args)
        if #args > 0 then read.fail('MALFORMED_QUERY', 'bgop_history takes no arguments') end
        local shards, sums, out = read.shards(keys), {}, {}
        local gates = read.gates(shards)
        local minute = math.floor(read.now(shards, gates) / 60000)
        for i = 1, #COUNTED do
            sums[i] = {}
            for place = 1, MINUTES do sums[i][place] = 0 end
        end
        for _, shard in ipairs(shards) do
            take_shard(sums, shard, gates[shard], minute - MINUTES + 1)
        end
        for i, name in ipairs(COUNTED) do
            for place = 1, MINUTES do sums[i][place] = read.json_number(sums[i][place]) end
            out[i] = '"' .. name .. '":[' .. table.concat(sums[i], ',') .. ']'
        end
        return '{"minute":' .. integer(minute) .. ',' .. table.concat(out, ',') .. '}'
    end
end)
