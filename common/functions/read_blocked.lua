-- bgop_blocked: sequence groups that are held by a member that failed for good, the longest held first.
--   keys  none or bgop:{s}    args  [limit, 1 to 500; else 100]
--   ->    {"groups":[{"Id","Type","ParentKey","SequenceGroup","SequenceNumber","Error","since","waiting"}],"total"}
--         Id ... Error: of the member that holds its group; waiting: how many stand behind it; total: held groups
--   errors MALFORMED_QUERY
read.part({'bgop_blocked'}, function()
    local FIELDS = {'Type', 'ParentKey', 'SequenceGroup', 'SequenceNumber', 'Error'}

    local function group_of(held)
        local f = call('HMGET', held.prefix .. ':op:' .. held.id, unpack(FIELDS))
        local parts = {'"Id":' .. read.json_text(held.id)}
        for n, name in ipairs(FIELDS) do
            local value = name == 'SequenceNumber' and f[n] or read.json_text_or_null(f[n])
            parts[#parts + 1] = '"' .. name .. '":' .. (value or 'null')
        end
        local waiting = 0
        if f[3] then
            local name = sequence_name(f[1], f[2] or '', f[3])
            waiting = call('ZREVRANK', held.prefix .. ':seq:' .. name, held.id) or 0
        end
        return '{' .. table.concat(parts, ',') .. ',"since":"' .. read.date(integer(held.ms)) .. '","waiting":' ..
            read.json_number(waiting) .. '}'
    end

    local function held_in(shards, limit)
        local all, total = {}, 0
        for _, shard in ipairs(shards) do
            local prefix = read.prefix(shard)
            local list = call('ZRANGE', prefix .. ':blocked', 0, limit - 1, 'WITHSCORES')
            for i = 1, #list, 2 do all[#all + 1] = {prefix = prefix, id = list[i], ms = tonumber(list[i + 1])} end
            total = total + call('ZCARD', prefix .. ':blocked')
        end
        table.sort(all, function(x, y) return x.ms < y.ms or x.ms == y.ms and x.id < y.id end)
        return all, total
    end

    function read.calls.bgop_blocked(keys, args)
        local limit = args[1] and tonumber(args[1]:match('^%d+$')) or not args[1] and 100
        if not limit or limit < 1 or limit > 500 or #args > 1 then
            read.fail('MALFORMED_QUERY', 'give nothing, or a limit from 1 to 500')
        end
        local held, total = held_in(read.shards(keys), limit)
        local groups = {}
        for n = 1, math.min(#held, limit) do groups[n] = group_of(held[n]) end
        return '{"groups":[' .. table.concat(groups, ',') .. '],"total":' .. read.json_number(total) .. '}'
    end
end)
