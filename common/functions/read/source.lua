-- Walking through operations by time: streams of batches of Ids (born, changes, deleted, worker:<uri>) or indexes
-- whose scores are times (parent:<ParentKey>), merged over shards, from a position on. Order: time, then Id; or the
-- reverse. A walk costs what is taken from it, not what there is.
read.part({}, function()
    local READ_MAX = 100        -- entries of a stream, or members of an index, read at once
    local READ_BYTES = 10000    -- of Ids in such entries, of all shards together

    local function ascending(a, b) return a < b end
    local function descending(a, b) return a > b end

    -- Sorted in place; what comes off a stream is sorted already, or in the reverse order.
    local function sort(ids, before)
        local sorted, reversed = true, true
        for i = 2, #ids do
            if before(ids[i], ids[i - 1]) then sorted = false else reversed = false end
        end
        if sorted then return end
        if not reversed then return table.sort(ids, before) end
        for i = 1, math.floor(#ids / 2) do ids[i], ids[#ids + 1 - i] = ids[#ids + 1 - i], ids[i] end
    end

    local function entry_bytes(entry)
        local pairs_of_entry, bytes = entry[STREAMED.FIELDS], 0
        for i = 2, #pairs_of_entry, 2 do bytes = bytes + #pairs_of_entry[i] end
        return bytes
    end

    -- The Ids of one ms after the other: next_group() answers ms, texts of Ids joined by blanks. Entries are read a few
    -- at a time, the more the shorter they are.
    local function stream_groups(stream, newest_first, least, greatest, bytes)
        local command = newest_first and 'XREVRANGE' or 'XRANGE'
        local bound, stop = integer(newest_first and greatest or least), integer(newest_first and least or greatest)
        local entries, position, count = {}, 1, 1

        local function peek()
            if position > #entries then
                if count == 0 then return nil end
                entries, position = call(command, stream, bound, stop, 'COUNT', count), 1
                local last = entries[#entries]
                if not last then
                    count = 0
                    return nil
                end
                bound = '(' .. last[STREAMED.ID]
                count = math.max(1, math.min(READ_MAX, math.floor(bytes / entry_bytes(last))))
            end
            local entry = entries[position]
            return entry[STREAMED.ID]:match('^%d+'), entry[STREAMED.FIELDS]
        end

        return function()
            local ms, pairs_of_entry = peek()
            if not ms then return nil end
            local texts, of = {}, ms
            while ms == of do
                for i = 2, #pairs_of_entry, 2 do            -- `crcs` of `deleted` are no Ids
                    if pairs_of_entry[i - 1] ~= 'crcs' then texts[#texts + 1] = pairs_of_entry[i] end
                end
                position = position + 1
                ms, pairs_of_entry = peek()
            end
            return tonumber(of), texts
        end
    end

    -- The same of an index whose scores are times of submission.
    local function index_groups(index, newest_first, least, greatest)
        local command, from, to = 'ZRANGEBYSCORE', least, greatest
        if newest_first then command, from, to = 'ZREVRANGEBYSCORE', greatest, least end
        local members, position, offset = {}, 1, 0

        local function peek()
            if position > #members then
                members = call(command, index, integer(from), integer(to), 'WITHSCORES', 'LIMIT', offset, READ_MAX)
                position, offset = 1, offset + READ_MAX
                if #members == 0 then return nil end
            end
            return tonumber(members[position + 1]), members[position]
        end

        return function()
            local ms, id = peek()
            if not ms then return nil end
            local ids, of = {}, ms
            while ms == of do
                ids[#ids + 1] = id
                position = position + 2
                ms, id = peek()
            end
            return of, ids
        end
    end

    -- Merges the groups of several shards: those of the same ms become one, sorted by Id, each Id once.
    local function merged(groups, newest_first, position)
        local before = newest_first and descending or ascending
        local heads = {}                -- ms, texts, next_group, shard
        for _, group in ipairs(groups) do
            group.ms, group.texts = group.next_group()
            if group.ms then heads[#heads + 1] = group end
        end
        local ids, shard_of, ms, i = {}, {}, nil, 1

        local function next_ms()
            local best
            for _, head in ipairs(heads) do
                if not best or before(head.ms, best) then best = head.ms end
            end
            ids, shard_of, ms, i = {}, {}, best, 1
            for h = #heads, 1, -1 do
                local head = heads[h]
                if head.ms == best then
                    local shard = head.shard
                    for _, text in ipairs(head.texts) do
                        for at = 1, #text, ID_SIZE + 1 do
                            local id = text:sub(at, at + ID_SIZE - 1)
                            if not shard_of[id] then ids[#ids + 1], shard_of[id] = id, shard end
                        end
                    end
                    head.ms, head.texts = head.next_group()
                    if not head.ms then table.remove(heads, h) end
                end
            end
            if ids[2] then sort(ids, before) end
        end

        return function()
            while true do
                if i > #ids then
                    if #heads == 0 then return nil end
                    next_ms()
                end
                local id = ids[i]
                i = i + 1
                if not position or ms ~= position.ms or before(position.id, id) then return id, shard_of[id], ms end
            end
        end
    end

    -- A walk over `stream` or `index` (the key behind the shard's prefix) of these shards, times from least to
    -- greatest, behind position {ms, id} (nil: all). next() answers Id, shard, ms; nil at the end.
    function read.walk(shards, walk)
        local least, greatest, position = walk.least or 0, walk.greatest or 2 ^ 53, walk.position
        if position and walk.newest_first then greatest = math.min(greatest, position.ms) end
        if position and not walk.newest_first then least = math.max(least, position.ms) end
        local of, groups, bytes = walk.index and index_groups or stream_groups, {}, READ_BYTES / #shards
        for _, shard in ipairs(shards) do
            local key_of_shard = read.prefix(shard) .. ':' .. (walk.index or walk.stream)
            groups[#groups + 1] = {shard = shard,
                                   next_group = of(key_of_shard, walk.newest_first, least, greatest, bytes)}
        end
        return merged(groups, walk.newest_first, position)
    end
end)
