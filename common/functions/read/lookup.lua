-- bgop_lookup: Ids by a field with the property idLookup: Id, Name (also the derived BO- names), ParentKey, WorkerUri.
-- Exact match. Names are unique within Type and routing key, so there may be several; newest first for ParentKey and
-- WorkerUri.
--   keys  none or bgop:{s}    args  field, value, [cursor]
--   ->    {"ids":[...],"cursor":null}, of one shard by ParentKey or WorkerUri also "at":[ms...] of each; at most 500 a page; a page may be short while there is a cursor
--   errors INVALID_FIELD, MALFORMED_QUERY, RECOVERING
read.part({'bgop_lookup'}, function()
    local CLAIMS_MAX = 350          -- claims of a worker looked at in one call

    local function exists(shard, id) return call('EXISTS', read.prefix(shard) .. KEY.OP .. id) == 1 end

    local function has(shards, wanted)
        for _, shard in ipairs(shards) do
            if shard == wanted then return true end
        end
        return false
    end

    -- 15 or 18 characters; anything else is no record's Id, so nothing is found.
    local function ids_of_id(shards, text)
        local id, shard = read.id_parse(text)
        if id and has(shards, shard) and exists(shard, id) then return {id} end
        return {}
    end

    -- The Ids that hold one of these Names, or held it: `names` (Name -> JSON list of {Id, Type, routing key, content})
    -- is longer there than the records are. A derived Name says its Id.
    function read.ids_of_names(shards, names)
        local ids, own = {}, {}
        for _, name in ipairs(names) do
            if name:sub(1, 3) ~= 'BO-' then
                own[#own + 1] = name
            elseif #name == 18 then
                ids[#ids + 1] = read.id_parse(name:sub(4))
            end
        end
        if not own[1] then return ids end
        for _, shard in ipairs(shards) do
            for _, held in ipairs(call('HMGET', read.prefix(shard) .. KEY.NAMES, unpack(own))) do
                for _, holder in ipairs(held and cjson.decode(held) or {}) do ids[#ids + 1] = holder[HOLDER.ID] end
            end
        end
        return ids
    end

    local function ids_of_name(shards, name)
        local ids = {}
        for _, id in ipairs(read.ids_of_names(shards, {name})) do
            local _, shard = read.id_parse(id)
            if has(shards, shard) and exists(shard, id) then ids[#ids + 1] = id end
        end
        table.sort(ids)
        return ids
    end

    local function cursor_of(text)
        if not text then return nil end
        local ms, id = text:match('^(%d+):(%w+)$')
        if not ms or #ms > 15 or not read.id_parse(id) then
            read.fail('MALFORMED_QUERY', 'the cursor %s does not belong to this query', read.quote(text))
        end
        return {ms = tonumber(ms), id = id}
    end

    -- Ids of one walk, newest first, that take(id, shard, ms) accepts, of so many looked at.
    local function page(shards, walk, cursor, examined_max, take)
        walk.newest_first, walk.position = true, cursor_of(cursor)
        local ids, at, examined, last, last_ms = {}, {}, 0, nil, nil
        for id, shard, ms in read.walk(shards, walk) do
            if #ids == read.PAGE_MAX or examined == examined_max then
                return ids, '"' .. integer(last_ms) .. ':' .. last .. '"', at
            end
            if take(id, shard, ms) then ids[#ids + 1], at[#at + 1] = id, integer(ms) end
            examined, last, last_ms = examined + 1, id, ms
        end
        return ids, 'null', at
    end

    -- Does the stream's entry of this moment name the Id?
    local function claimed_at(shard, stream, ms, id)
        for _, entry in ipairs(call('XRANGE', read.prefix(shard) .. ':' .. stream, ms, ms)) do
            if entry[STREAMED.FIELDS][BATCH.IDS]:find(id, 1, true) then return true end
        end
        return false
    end

    -- What this worker ran: an operation stands at its latest attempt, and not where another worker took it over. A
    -- worker's word after a recovery counts where Redis has lost the claim itself.
    local function ids_of_worker(shards, uri, cursor)
        local worker, started = read.field('WorkerUri'), read.field('StartedAt')
        local look, stream, again = read.loader({worker, started}), INDEX.WORKER .. uri, {}
        return page(shards, {stream = stream}, cursor, CLAIMS_MAX, function(id, shard, ms)
            local h = look(shard, id)
            if not h or worker.value(h) ~= uri or not h.StartedAt then return false end
            if h.StartedAt == integer(ms) then return true end
            if ms < tonumber(h.StartedAt) or again[id] then return false end
            if claimed_at(shard, stream, h.StartedAt, id) then return false end
            again[id] = true
            return true
        end)
    end

    local FIND = {
        Id = function(shards, value) return ids_of_id(shards, value), 'null' end,
        Name = function(shards, value) return ids_of_name(shards, value), 'null' end,
        ParentKey = function(shards, value, cursor)
            return page(shards, {index = INDEX.PARENT .. value}, cursor, read.PAGE_MAX,
                        function(id, shard) return exists(shard, id) end)
        end,
        WorkerUri = ids_of_worker,
    }

    function read.calls.bgop_lookup(keys, args)
        if #args < 2 or #args > 3 then read.fail('MALFORMED_QUERY', 'give a field, a value and at most one cursor') end
        local field = read.field(args[LOOKUP.FIELD])
        if not field.L then
            read.fail('INVALID_FIELD', 'field %s can not be looked up (property idLookup)', field.name)
        end
        local shards = read.shards(keys)
        read.require_open(shards)
        local ids, cursor, at = FIND[field.name](shards, args[LOOKUP.VALUE], args[LOOKUP.CURSOR])
        return '{"ids":' .. read.json_texts(ids) .. (at and keys[1] and ',"at":[' .. table.concat(at, ',') .. ']' or '') ..
               ',"cursor":' .. cursor .. '}'
    end
end)
