-- The replication calls: what changed, and what was removed, in a window of time.
--   bgop_get_updated, bgop_get_deleted
--   keys  none or bgop:{s}    args  start, end (ISO 8601 or epoch ms), [cursor]
--   ->    {"ids":[...],"latestDateCovered":"...","cursor":null}
--   ->    {"deletedRecords":[{"id","deletedDate"}...],"earliestDateAvailable":"...","latestDateCovered":"...",
--          "cursor":null}
--   errors INVALID_REPLICATION_DATE, MALFORMED_QUERY, RECOVERING
-- Seconds are cut to the minute, windows are [start, end). An Id stands where its last change is, so successive windows
-- neither lose nor repeat: what the next window begins with is latestDateCovered. That is min(end, the least `now` of
-- the shards), cut to the minute: whatever changes from here on is stamped later, even when the server's clock steps
-- back. The first page of a window that reaches to now fixes how far its pages go: what changes while they are fetched
-- belongs to the next window. So what lies behind latestDateCovered may be listed already, and is listed again by the
-- next window.
read.part({'bgop_get_updated', 'bgop_get_deleted'}, function()
    local EXAMINED_MAX = 500        -- Ids looked at in one call
    local MINUTE, DAY = 60000, 86400000
    local UPDATED_DAYS, DELETED_DAYS = 30, 15

    local function minute(ms) return ms - ms % MINUTE end

    local function date_of(text, name)
        if not text then read.fail('INVALID_REPLICATION_DATE', 'give start and end: ISO 8601 or epoch ms') end
        local ms, wrong = read.date_parse_recent(text)
        if not ms then
            read.fail('INVALID_REPLICATION_DATE', '%s is no readable date: %s %s', name, read.quote(text), wrong)
        end
        return minute(ms)
    end

    -- The oldest moment that the logs can still answer for (so many days back from this UTC midnight, later when one
    -- was cut), and the least `now` of the shards.
    local function bounds(shards, days, cut_field, now)
        local oldest, known = now - now % DAY - days * DAY, now
        for _, shard in ipairs(shards) do
            local cut, last = unpack(call('HMGET', read.prefix(shard) .. KEY.GATE, cut_field, 'now'))
            oldest = math.max(oldest, tonumber(cut) or 0)
            known = math.min(known, tonumber(last) or 0)
        end
        return oldest + (-oldest) % MINUTE, known       -- the first whole minute that can be asked for
    end

    -- A cursor: how far the pages go, what was known when the first was answered, and where the last one ended.
    local function cursor_of(text, now)
        local reached, known, ms, id = text:match('^(%d+):(%d+):(%d+):(%w+)$')
        if not reached or #reached > 15 or #known > 15 or #ms > 15 or tonumber(reached) > now or
            not read.id_parse(id) then
            read.fail('MALFORMED_QUERY', 'the cursor %s does not belong to this query', read.quote(text))
        end
        return tonumber(reached), tonumber(known), {ms = tonumber(ms), id = id}
    end

    -- { earliest, least, greatest, reached, known, covered, position } of a call.
    local function window_of(shards, args, days, cut_field)
        if #args > 3 then read.fail('MALFORMED_QUERY', 'give start, end and at most one cursor') end
        local from, to, now = date_of(args[WINDOW.START], 'start'), date_of(args[WINDOW.END], 'end'), read.now(shards)
        if to - from < MINUTE then
            read.fail('INVALID_REPLICATION_DATE', 'start must precede end by at least one minute (seconds are cut)')
        end
        local earliest, known = bounds(shards, days, cut_field, now)
        if from < earliest then
            read.fail('INVALID_REPLICATION_DATE', 'start is before %s, the earliest date available',
                      read.date(integer(earliest)))
        end
        local window = {earliest = earliest, least = from, reached = now, known = known}
        local cursor = args[WINDOW.CURSOR]
        if cursor then window.reached, window.known, window.position = cursor_of(cursor, now) end
        -- Of this very ms there may come more, so it belongs to the next window.
        window.greatest = math.min(to, window.reached) - 1
        window.covered = read.date(integer(math.min(to, minute(window.known))))
        return window
    end

    -- Calls take(id, shard, ms), which answers whether it took the Id, up to a page; answers the cursor.
    local function page(shards, window, stream, take)
        local walk = {stream = stream, least = window.least, greatest = window.greatest, position = window.position}
        local taken, examined, last, last_ms = 0, 0, nil, nil
        for id, shard, ms in read.walk(shards, walk) do
            if taken == read.PAGE_MAX or examined == EXAMINED_MAX then
                local parts = {integer(window.reached), integer(window.known), integer(last_ms), last}
                return '"' .. table.concat(parts, ':') .. '"'
            end
            if take(id, shard, ms) then taken = taken + 1 end
            examined, last, last_ms = examined + 1, id, ms
        end
        return 'null'
    end

    function read.calls.bgop_get_updated(keys, args)
        local shards = read.shards(keys)
        read.require_open(shards)
        local window, ids = window_of(shards, args, UPDATED_DAYS, 'changes_from'), {}
        local cursor = page(shards, window, INDEX.CHANGES, function(id, shard, ms)
            local last_change = call('HGET', read.prefix(shard) .. KEY.OP .. id, 'SystemModstamp')
            if last_change ~= integer(ms) then return false end         -- changed later, or removed
            ids[#ids + 1] = id
            return true
        end)
        return '{"ids":' .. read.json_texts(ids) .. ',"latestDateCovered":"' .. window.covered .. '","cursor":' ..
               cursor .. '}'
    end

    function read.calls.bgop_get_deleted(keys, args)
        local shards = read.shards(keys)
        read.require_open(shards)
        local window, records = window_of(shards, args, DELETED_DAYS, 'deleted_from'), {}
        local cursor = page(shards, window, INDEX.DELETED, function(id, _, ms)
            records[#records + 1] = '{"id":"' .. id .. '","deletedDate":"' .. read.date(integer(ms)) .. '"}'
            return true
        end)
        return '{"deletedRecords":[' .. table.concat(records, ',') .. '],"earliestDateAvailable":"' ..
               read.date(integer(window.earliest)) .. '","latestDateCovered":"' .. window.covered .. '","cursor":' ..
               cursor .. '}'
    end
end)
