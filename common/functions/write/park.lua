-- Entries of the status log, and workers' claims, for operations that are not recorded yet: read before the submission
-- they belong to (a Redis that went backwards replays logs that are not ordered among each other). Kept for a day
-- in `parked`, Id -> JSON list of entries; `parked_at` says since when. bgop_ingest applies them.
local park_add, park_take, park_expire
do
    local MAX_ENTRIES, KEPT_MS = 50, 86400000

    -- Where an entry goes, and whether it takes another's place. A worker's claim: there where it stood when heard
    -- before; else in front of cancels that saw an older attempt. They had not ended it when its attempt was granted,
    -- or it would not have been: so they came to a running one then, and do now. Before a redrive they may have had no
    -- effect.
    local function place_of(list, entry)
        local place = #list + 1
        if entry[PARKED.KIND] ~= 'held' then return place, false end
        for n, other in ipairs(list) do
            if other[PARKED.KIND] == 'held' and other[PARKED.TOKEN] == entry[PARKED.TOKEN] then return n, true end
        end
        for n = #list, 1, -1 do
            local kind, token = list[n][PARKED.KIND], list[n][PARKED.TOKEN]
            if kind == 'redrive' then break end
            if kind == 'cancel' and tonumber(token) < tonumber(entry[PARKED.TOKEN]) then place = n end
        end
        return place, false
    end

    -- entry: as in outcome.lua, or HELD.
    function park_add(b, id, entry)
        local parked = b.prefix .. KEY.PARKED
        local text = call('HGET', parked, id)
        local list = text and cjson.decode(text) or {}
        local place, again = place_of(list, entry)
        if again then table.remove(list, place) end
        if #list >= MAX_ENTRIES then return end
        table.insert(list, place, entry)
        call('HSET', parked, id, cjson.encode(list))
        call('ZADD', b.prefix .. KEY.PARKED_AT, 'NX', b.now_text, id)
        count_total(b, 'parked', 1)
    end

    -- Calls apply(b, entry) for what was parked for the Ids just recorded, in its order.
    function park_take(b, ids, apply)
        local parked = b.prefix .. KEY.PARKED
        if call('EXISTS', parked) == 0 then return end
        local texts, found = call('HMGET', parked, unpack(ids)), {}
        for n, id in ipairs(ids) do
            if texts[n] then found[#found + 1] = {id = id, entries = cjson.decode(texts[n])} end
        end
        for _, op in ipairs(found) do
            for _, entry in ipairs(op.entries) do apply(b, entry) end
            call('HDEL', parked, op.id)
            call('ZREM', b.prefix .. KEY.PARKED_AT, op.id)
        end
    end

    function park_expire(b, limit)
        local before = integer(b.now - KEPT_MS)
        local ids = call('ZRANGE', b.prefix .. KEY.PARKED_AT, '-inf', before, 'BYSCORE', 'LIMIT', 0, limit)
        if not ids[1] then return end
        call('HDEL', b.prefix .. KEY.PARKED, unpack(ids))
        call('ZREM', b.prefix .. KEY.PARKED_AT, unpack(ids))
    end
end
