-- The replication calls: what changed, and what was removed, in a window of time.
--   bgop_get_updated, bgop_get_deleted
--   keys  none or bgop:{s}    args  start, end (ISO 8601 or epoch ms), [cursor]
--   ->    {"ids":[...],"latestDateCovered":"...","cursor":null}
--   ->    {"deletedRecords":[{"id","deletedDate"}...],"earliestDateAvailable":"...","latestDateCovered":"...",
--          "cursor":null}
--   errors INVALID_REPLICATION_DATE, MALFORMED_QUERY, RECOVERING
-- Seconds are cut to the minute, windows are [start, end). An Id stands where its last change is, so successive windows
-- neither lose nor repeat. The first page of a window that reaches to now fixes how far its pages go: what changes
-- while they are fetched belongs to the next window.
read.part({'bgop_get_updated', 'bgop_get_deleted'}, function()
    local EXAMINED_MAX = 500        -- Ids looked at in one call
    local MINUTE, DAY = 60000, 86400000
    local UPDATED_DAYS, DELETED_DAYS = 30, 15

    local function minute(ms) return ms - ms % MINUTE end

    local function date_of(text, name)
        if not text then read.fail('INVALID_REPLICATION_DATE', 'give start and end: ISO 8601 or epoch ms') end
        local ms = read.date_parse(text)
        if not ms then read.fail('INVALID_REPLICATION_DATE', '%s is no readable date: %s', name, read.quote(text)) end
        return minute(ms)
    end

    -- The oldest moment a log can still answer for: so many days back from this UTC midnight, later when it was cut.
    local function earliest(shards, days, cut_field, now)
        local oldest = now - now % DAY - days * DAY
        for _, shard in ipairs(shards) do
            oldest = math.max(oldest, tonumber(call('HGET', read.prefix(shard) .. ':gate', cut_field)) or 0)
        end
        return oldest + (-oldest) % MINUTE          -- the first whole minute that can be asked for
    end

    -- { least, greatest, covered, position } of a call.
    local function window_of(shards, args, days, cut_field)
        if #args > 3 then read.fail('MALFORMED_QUERY', 'give start, end and at most one cursor') end
        local from, to, now = date_of(args[1], 'start'), date_of(args[2], 'end'), clock_ms()
        if to - from < MINUTE then
            read.fail('INVALID_REPLICATION_DATE', 'start must precede end by at least one minute (seconds are cut)')
        end
        local window = {earliest = earliest(shards, days, cut_field, now)}
        if from < window.earliest then
            read.fail('INVALID_REPLICATION_DATE', 'start is before %s, the earliest date available',
                      read.date(integer(window.earliest)))
        end
        local reached, ms, id = now, nil, nil
        if args[3] then
            reached, ms, id = args[3]:match('^(%d+):(%d+):(%w+)$')
            if not reached or #reached > 15 or #ms > 15 or tonumber(reached) > now or not read.id_parse(id) then
                read.fail('MALFORMED_QUERY', 'the cursor %s does not belong to this query', read.quote(args[3]))
            end
            reached = tonumber(reached)
            window.position = {ms = tonumber(ms), id = id}
        end
        -- Of this very ms there may come more, so it belongs to the next window.
        window.least, window.greatest, window.reached = from, math.min(to, reached) - 1, reached
        window.covered = read.date(integer(math.min(to, minute(reached))))
        return window
    end

    -- Calls take(id, shard, ms), which answers whether it took the Id, up to a page; answers the cursor.
    local function page(shards, window, stream, take)
        local walk = {stream = stream, least = window.least, greatest = window.greatest, position = window.position}
        local taken, examined, last, last_ms = 0, 0, nil, nil
        for id, shard, ms in read.walk(shards, walk) do
            if taken == read.PAGE_MAX or examined == EXAMINED_MAX then
                return '"' .. integer(window.reached) .. ':' .. integer(last_ms) .. ':' .. last .. '"'
            end
            if take(id, shard, ms) then taken = taken + 1 end
            examined, last, last_ms = examined + 1, id, ms
        end
        return 'null'
    end

    function read.calls.bgop_get_updated(keys, args)
        local shards = read.shards(keys)
        read.require_open(shards)
        local window, ids = window_of(shards, args, UPDATED_DAYS, 'changes_floor'), {}
        local cursor = page(shards, window, 'changes', function(id, shard, ms)
            local last_change = call('HGET', read.prefix(shard) .. ':op:' .. id, 'SystemModstamp')
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
        local window, records = window_of(shards, args, DELETED_DAYS, 'deleted_floor'), {}
        local cursor = page(shards, window, 'deleted', function(id, _, ms)
            records[#records + 1] = '{"id":"' .. id .. '","deletedDate":"' .. read.date(integer(ms)) .. '"}'
            return true
        end)
        return '{"deletedRecords":[' .. table.concat(records, ',') .. '],"earliestDateAvailable":"' ..
               read.date(integer(window.earliest)) .. '","latestDateCovered":"' .. window.covered .. '","cursor":' ..
               cursor .. '}'
    end
end)
