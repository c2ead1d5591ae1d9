-- bgop_blocked: sequence groups that are held by a member that failed for good, the longest held first.
--   keys  none or bgop:{s}    args  [limit, 1 to 500; else 100]
--   ->    {"groups":[{"Id","Type","ParentKey","SequenceGroup","SequenceNumber","Error","since","waiting"}],"total"}
--         Id ... Error: of the member that holds its group; waiting: how many stand behind it; total: held groups
--   errors MALFORMED_QUERY
read.part({'bgop_blocked'}, function()
    local FIELDS = {'Type', 'ParentKey', 'SequenceGroup', 'SequenceNumber', 'Error'}

    local function group_of(held)
        local f = call('HMGET', held.prefix .. KEY.OP .. held.id, unpack(FIELDS))
        local parts, of = {'"Id":' .. read.json_text(held.id)}, {}
        for n, name in ipairs(FIELDS) do
            local value = name == 'SequenceNumber' and f[n] or read.json_text_or_null(f[n])
            parts[#parts + 1] = '"' .. name .. '":' .. (value or 'null')
            of[name] = f[n]
        end
        local waiting = 0
        if of.SequenceGroup then
            local name = sequence_name(of.Type, of.ParentKey or '', of.SequenceGroup)
            waiting = call('ZREVRANK', held.prefix .. KEY.SEQ .. name, held.id) or 0
        end
        return '{' .. table.concat(parts, ',') .. ',"since":"' .. read.date(integer(held.ms)) .. '","waiting":' ..
            read.json_number(waiting) .. '}'
    end

    local function held_in(shards, limit)
        local all, total = {}, 0
        for _, shard in ipairs(shards) do
            local prefix = read.prefix(shard)
            local list = call('ZRANGE', prefix .. KEY.BLOCKED, 0, limit - 1, 'WITHSCORES')
            for i = 1, #list, 2 do all[#all + 1] = {prefix = prefix, id = list[i], ms = tonumber(list[i + 1])} end
            total = total + call('ZCARD', prefix .. KEY.BLOCKED)
        end
        table.sort(all, function(x, y) return x.ms < y.ms or x.ms == y.ms and x.id < y.id end)
        return all, total
    end

    function read.calls.bgop_blocked(keys, args)
        local given = args[BLOCKED.LIMIT]
        local limit = given and tonumber(given:match('^%d+$')) or not given and 100
        if not limit or limit < 1 or limit > 500 or #args > 1 then
            read.fail('MALFORMED_QUERY', 'give nothing, or a limit from 1 to 500')
        end
        local held, total = held_in(read.shards(keys), limit)
        local groups = {}
        for n = 1, math.min(#held, limit) do groups[n] = group_of(held[n]) end
        return '{"groups":[' .. table.concat(groups, ',') .. '],"total":' .. read.json_number(total) .. '}'
    end
end)
