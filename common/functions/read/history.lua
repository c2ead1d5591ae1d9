-- bgop_history: what was counted in each of the last 60 minutes, the present one included.
--   keys  none or bgop:{s}
--   ->    {"minute":m,"accepted":[n..],"finished":[..],"failed":[..],"retried":[..]}: 60 numbers each, the oldest first; m: the
--         epoch minute of the last one, which is not over yet
-- From stats:<minute>, which are there for an hour: so it survives whatever restarts.
read.part({'bgop_history'}, function()
    local MINUTES = 60
    local COUNTED = {'accepted', 'finished', 'failed', 'retried'}

    local function take_minute(sums, place, key)
        for i, number in ipairs(call('HMGET', key, unpack(COUNTED))) do
            if number then sums[i][place] = sums[i][place] + tonumber(number) end
        end
    end

    -- Minutes in which nothing happened are not there: most of them, in a quiet queue.
    local function take_shard(sums, stats, first)
        for from = 1, MINUTES, 10 do
            local keys = {}
            for place = from, math.min(from + 9, MINUTES) do keys[#keys + 1] = stats .. integer(first + place - 1) end
            if call('EXISTS', unpack(keys)) > 0 then
                for i, key in ipairs(keys) do take_minute(sums, from + i - 1, key) end
            end
        end
    end

    function read.calls.bgop_history(keys, args)
        if #args > 0 then read.fail('MALFORMED_QUERY', 'bgop_history takes no arguments') end
        local shards, sums, out = read.shards(keys), {}, {}
        local minute = math.floor(read.now(shards) / 60000)
        for i = 1, #COUNTED do
            sums[i] = {}
            for place = 1, MINUTES do sums[i][place] = 0 end
        end
        for _, shard in ipairs(shards) do
            take_shard(sums, read.prefix(shard) .. KEY.STATS, minute - MINUTES + 1)
        end
        for i, name in ipairs(COUNTED) do
            for place = 1, MINUTES do sums[i][place] = read.json_number(sums[i][place]) end
            out[i] = '"' .. name .. '":[' .. table.concat(sums[i], ',') .. ']'
        end
        return '{"minute":' .. integer(minute) .. ',' .. table.concat(out, ',') .. '}'
    end
end)
