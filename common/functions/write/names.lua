-- Names: `names` holds Name -> JSON list of {Id, Type, routing key, content checksum} (HOLDER). One Name may be held once
-- for each Type and routing key. An ingest reads the Names that it wants at once (plan.names: Name -> that text), takes
-- them one by one, and writes those it took (plan.taken) at once.
local names_read, name_take, names_write

-- Who holds a Name: one of the list that `names` has of it.
local function holder_new(id, type, routing, content)
    return {[HOLDER.ID] = id, [HOLDER.TYPE] = type, [HOLDER.ROUTING] = routing, [HOLDER.CONTENT] = content}
end

do
    function names_read(b, ops, args)
        local wanted, names, place = {}, {}, ops.at[OP.NAME]
        if not place then
            if ops.value[OP.NAME] == '' or ops.count == 0 then return names end
            wanted[1] = ops.value[OP.NAME]
        end
        for i = place and ops.first + place or #args + 1, #args, ops.width do
            if args[i] ~= '' then wanted[#wanted + 1] = args[i] end
        end
        if wanted[1] then
            local held = call('HMGET', b.prefix .. KEY.NAMES, unpack(wanted))
            for n, name in ipairs(wanted) do names[name] = held[n] end
        end
        return names
    end

    -- As cjson would write it. One holder of plain letters, as nearly all are, is put together quicker.
    local function holder_text(id, type, routing, content)
        if routing:find('[%c"\\\127]') or type:find('[%c"\\\127]') then
            return cjson.encode({holder_new(id, type, routing, content)})
        end
        return '[["' .. id .. '","' .. type .. '","' .. routing .. '","' .. content .. '"]]'
    end

    local function name_note(plan, name, text)
        if not plan.taken[name] then plan.taken[#plan.taken + 1] = name end
        plan.taken[name], plan.names[name] = true, text
    end

    -- Who holds the Name that this operation wants; nil: it may have it, and is noted as its holder.
    function name_take(plan, id, type, routing, name, content)
        local text = plan.names[name]
        if not text then return name_note(plan, name, holder_text(id, type, routing, content)) end
        local holders = cjson.decode(text)
        for _, holder in ipairs(holders) do
            if holder[HOLDER.TYPE] == type and holder[HOLDER.ROUTING] == routing then return holder end
        end
        holders[#holders + 1] = holder_new(id, type, routing, content)
        name_note(plan, name, cjson.encode(holders))
    end

    function names_write(b, plan)
        local written = {}
        for n, name in ipairs(plan.taken) do written[2 * n - 1], written[2 * n] = name, plan.names[name] end
        if written[1] then call('HSET', b.prefix .. KEY.NAMES, unpack(written)) end
    end
end
