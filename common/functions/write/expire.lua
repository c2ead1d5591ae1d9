-- What leaves a shard, in slices: records whose time has passed with everything that names them, old entries of the
-- streams, instances that are gone, minutes of statistics. Called by bgop_tick.
--
-- Nothing is looked for: what has ended lies in the `done` stream of its retention, in the order in which it ended, so the
-- front of each stream is what expires next. The record decides (it may have been redriven, or hold a sequence group).
local expire_records, housekeeping
do
    local NAME_KEPT_MS, INSTANCE_KEPT_MS = 86400000, 600000
    local NAMES_AT_ONCE = 500                   -- an entry more at most
    local STREAM_MAX_BYTES = 33554432           -- of `changes` and of `deleted`, each
    local TRIM_ENTRIES = 20000                  -- whole blocks of them: a millisecond
    local SWEEP_IDS = 500
    local HOUSEKEEPING_MS = 1000
    local ROLLED_AT_ONCE = 10                   -- minutes of statistics: each is some 0.2 ms of everybody's time

    local function stream_ms(id) return tonumber(id:match('^(%d+)')) end
    local function each_id(ids, visit) for id in ids:gmatch('%S+') do visit(id) end end

    -- ---- records ----

    -- Removes one record if it is final and its time has passed; everything else of it is collected in `gone`.
    local function expire_one(b, id, gone)
        local f = call('HMGET', b.ops .. id, EXPIRING.NAMES)
        local status, expires, parent = f[EXPIRING.STATUS], f[EXPIRING.EXPIRES_AT], f[EXPIRING.PARENT_KEY]
        if not status or not expires or tonumber(expires) > b.now then return end   -- redriven, or held: ends again
        local keys = gone.keys
        gone.ids[#gone.ids + 1], gone.crcs[#gone.crcs + 1] = id, f[EXPIRING.CRC] or '-'
        keys[#keys + 1], keys[#keys + 2] = b.ops .. id, b.prefix .. KEY.OUT .. id
        keys[#keys + 1] = b.prefix .. KEY.TRIES .. id
        if status ~= 'Complete' then keys[#keys + 1] = b.prefix .. KEY.IN .. id end       -- gone when it completed
        if f[EXPIRING.COMMANDS] then keys[#keys + 1] = b.prefix .. KEY.COMMANDS .. id end
        if status == 'Error' then
            gone.errors[#gone.errors + 1] = id
            sequence_expired(b, id)
        end
        if f[EXPIRING.NAME] then
            local named = gone.named
            named[#named + 1], named[#named + 2], named[#named + 3], named[#named + 4] = 'id', id, 'name', f[EXPIRING.NAME]
        end
        if parent then add_to(gone.parents, parent, id) end
        add_number(b.counts, f[EXPIRING.TYPE] .. ':' .. status, -1)
    end

    local function gone_flush(b, gone)
        if not gone.ids[1] then return end
        call('DEL', unpack(gone.keys))
        if gone.errors[1] then call('ZREM', b.prefix .. KEY.ERRORS, unpack(gone.errors)) end
        for _, parent in ipairs(gone.parents) do
            call('ZREM', b.prefix .. KEY.PARENT .. parent, unpack(gone.parents[parent]))
        end
        call('XADD', b.prefix .. KEY.DELETED, b.stream_id, 'ids', table.concat(gone.ids, ' '),
             'crcs', table.concat(gone.crcs, ' '))
        -- The Name stays taken for a day: names_gone says until when.
        if gone.named[1] then call('XADD', b.prefix .. KEY.NAMES_GONE, b.stream_id, unpack(gone.named)) end
        add_number(b.stats, 'removed', #gone.ids)
        flush(b)
    end

    -- One entry of a `done` stream. Answers how many Ids it had.
    local function expire_entry(b, stream, entry)
        local gone, count = {ids = {}, crcs = {}, keys = {}, errors = {}, parents = {}, named = {}}, 0
        each_id(entry[STREAMED.FIELDS][BATCH.IDS], function(id)
            expire_one(b, id, gone)
            count = count + 1
        end)
        gone_flush(b, gone)
        call('XDEL', stream, entry[STREAMED.ID])
        return count, #gone.ids
    end

    -- Looks at about `budget` Ids at most, entry by entry. Answers how many were removed, and ms until the next may be
    -- (0: there is more to do now; nil: nothing is waiting to expire).
    function expire_records(b, budget)
        local retentions, removed, next_ms = call('SMEMBERS', b.prefix .. KEY.RETENTIONS), 0, nil
        table.sort(retentions, function(x, y) return tonumber(x) < tonumber(y) end)
        for _, retention in ipairs(retentions) do
            local stream, kept_ms = b.prefix .. KEY.DONE .. retention, tonumber(retention) * 1000
            while true do
                local entry = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
                if not entry then
                    call('DEL', stream)
                    call('SREM', b.prefix .. KEY.RETENTIONS, retention)
                    break
                end
                local wait = stream_ms(entry[STREAMED.ID]) + kept_ms - b.now
                if wait <= 0 and budget <= 0 then wait = 0 end
                if wait > 0 or budget <= 0 then
                    next_ms = math.min(next_ms or wait, math.max(wait, 0))
                    break
                end
                local count, gone = expire_entry(b, stream, entry)
                budget, removed = budget - count, removed + gone
            end
        end
        return removed, next_ms
    end

    -- ---- streams of batches ----

    -- Deletes the entries of which no operation is left, from where the last sweep stopped. `ids_left` bounds how many Ids
    -- are looked at in vain; one that is gone counts a quarter, so that a sweep is quick where there is much to do. Answers
    -- whether it came to the stream's end (the next begins at the front), and what is left of `ids_left`.
    local function sweep(b, name, ids_left)
        local stream, cursors = b.prefix .. ':' .. name, b.prefix .. KEY.SWEEPS
        local cursor = call('HGET', cursors, name)
        while ids_left > 0 do
            local entry = call('XRANGE', stream, cursor and '(' .. cursor or '-', '+', 'COUNT', 1)[1]
            if not entry then
                call('HDEL', cursors, name)
                if call('EXISTS', stream) == 1 and call('XLEN', stream) == 0 then call('DEL', stream) end
                return true, ids_left
            end
            local keys = {}
            each_id(entry[STREAMED.FIELDS][BATCH.IDS], function(id) keys[#keys + 1] = b.ops .. id end)
            local live = call('EXISTS', unpack(keys)) > 0
            if not live then call('XDEL', stream, entry[STREAMED.ID]) end
            cursor, ids_left = entry[STREAMED.ID], ids_left - (live and #keys or #keys / 4)
        end
        call('HSET', cursors, name, cursor)
        return false, 0
    end

    -- `born` is looked through only while something was removed since the last whole pass began (`unswept`, `pass` of the
    -- gate): looking costs 2 to 4 ms of everybody's time a second, and an entry can only empty by removal.
    local function sweep_born(b, gone)
        local gate = b.prefix .. KEY.GATE
        local g = call('HMGET', gate, GATE_SWEEP.NAMES)
        local unswept, pass = g[GATE_SWEEP.UNSWEPT], g[GATE_SWEEP.PASS]
        if not unswept then return end
        if not pass then call('HSET', gate, 'pass', b.now_text) end
        if not sweep(b, INDEX.BORN, math.max(SWEEP_IDS, 2 * gone)) then return end
        if pass and tonumber(pass) > tonumber(unswept) then
            call('HDEL', gate, 'unswept', 'pass')
        else
            call('HSET', gate, 'pass', b.now_text)
        end
    end

    -- worker:<uri> streams, a few in turn: `uris` holds when each was looked at. While records go, each is looked through to
    -- its end before the next, by as much as went: a worker adds to its stream with every claim. Else some Ids a minute.
    local function sweep_workers(b, gone)
        local ids_left = math.max(SWEEP_IDS, 2 * gone)
        local until_ms = gone > 0 and '+inf' or integer(b.now - 60000)
        local uris = call('ZRANGE', b.prefix .. KEY.URIS, '-inf', until_ms, 'BYSCORE', 'LIMIT', 0, 4)
        for _, uri in ipairs(uris) do
            local ended
            ended, ids_left = sweep(b, INDEX.WORKER .. uri, ids_left)
            if call('EXISTS', b.prefix .. KEY.WORKER .. uri) == 0 then
                call('ZREM', b.prefix .. KEY.URIS, uri)
            elseif ended or gone == 0 then
                call('ZADD', b.prefix .. KEY.URIS, b.now_text, uri)
            end
            if ids_left <= 0 then return end
        end
    end

    -- `changes` or `deleted`: by time, and by bytes. `<name>_from` of the gate is the earliest time that is complete.
    local function trim(b, name, days)
        local stream = b.prefix .. ':' .. name
        if call('EXISTS', stream) == 0 then return end
        local before = integer(b.now - days * 86400000)
        local trimmed = call('XTRIM', stream, 'MINID', '~', before, 'LIMIT', TRIM_ENTRIES)
        if trimmed < 500 then trimmed = trimmed + call('XTRIM', stream, 'MINID', before) end
        local bytes = call('MEMORY', 'USAGE', stream)
        if bytes > STREAM_MAX_BYTES then
            local length = call('XLEN', stream)
            local kept = math.max(math.floor(length * STREAM_MAX_BYTES / bytes) - 500, 1)
            trimmed = trimmed + call('XTRIM', stream, 'MAXLEN', '~', kept, 'LIMIT', TRIM_ENTRIES)
        end
        if trimmed == 0 then return end
        local first = call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
        local from = first and stream_ms(first[STREAMED.ID]) + 1 or b.now
        call('HSET', b.prefix .. KEY.GATE, name .. '_from', integer(from))
        if not first then call('DEL', stream) end
    end

    -- One entry of names_gone: its Names lose who held them.
    local function names_forget_entry(b, fields)
        local key, names, ids, gone, kept = b.prefix .. KEY.NAMES, {}, {}, {}, {}
        for n = 0, #fields - NAME_GONE.SIZE, NAME_GONE.SIZE do
            ids[#ids + 1], names[#names + 1] = fields[n + NAME_GONE.ID], fields[n + NAME_GONE.NAME]
        end
        local left = {}                             -- by Name: two of an entry may have had the same one
        for n, text in ipairs(call('HMGET', key, unpack(names))) do
            local name, others = names[n], {}
            for _, holder in ipairs(left[name] or text and cjson.decode(text) or {}) do
                if holder[HOLDER.ID] ~= ids[n] then others[#others + 1] = holder end
            end
            left[name] = others
        end
        for _, name in ipairs(names) do
            local others = left[name]
            if others and others[1] then kept[#kept + 1], kept[#kept + 2] = name, cjson.encode(others) end
            if others and not others[1] then gone[#gone + 1] = name end
            left[name] = nil
        end
        if gone[1] then call('HDEL', key, unpack(gone)) end
        if kept[1] then call('HSET', key, unpack(kept)) end
    end

    -- Answers whether there are more to forget now.
    local function names_forget(b)
        local stream, forgotten = b.prefix .. KEY.NAMES_GONE, 0
        while forgotten < NAMES_AT_ONCE do
            local entry = call('XRANGE', stream, '-', integer(b.now - NAME_KEPT_MS), 'COUNT', 1)[1]
            if not entry then return false end
            local fields = entry[STREAMED.FIELDS]
            names_forget_entry(b, fields)
            call('XDEL', stream, entry[STREAMED.ID])
            forgotten = forgotten + #fields / NAME_GONE.SIZE
            if call('XLEN', stream) == 0 then call('DEL', stream) end
        end
        return true
    end

    local function instances_forget(b)
        local workers = b.prefix .. KEY.WORKERS
        local gone = call('ZRANGE', workers, '-inf', integer(b.now - INSTANCE_KEPT_MS), 'BYSCORE', 'LIMIT', 0, 100)
        for _, instance in ipairs(gone) do
            call('DEL', b.prefix .. KEY.INSTANCE .. instance)
            call('ZREM', workers, instance)
        end
    end

    -- ---- statistics: stats:5 and stats:60 hold the sums of the last 5 and 60 full minutes ----

    local function stats_add(b, minute, window, sign)
        local from, to = b.prefix .. KEY.STATS .. integer(minute), b.prefix .. KEY.STATS .. window
        local all = call('HGETALL', from)
        for i = 1, #all, 2 do
            if call('HINCRBY', to, all[i], sign * tonumber(all[i + 1])) == 0 then call('HDEL', to, all[i]) end
        end
    end

    -- Times are counted since ever, too: in `counts`, in buckets of one a doubling (n holds [2^(n-1), 2^n) ms), and their sums.
    local function ever_add(b, minute)
        local all, sums = call('HGETALL', b.prefix .. KEY.STATS .. integer(minute)), {}
        for i = 1, #all, 2 do
            local kind, n = all[i]:match('^([wr])(%d+)$')
            if kind then
                add_number(sums, kind .. math.ceil(n / 4), tonumber(all[i + 1]))
            elseif all[i] == 'ws' or all[i] == 'rs' then
                add_number(sums, all[i], tonumber(all[i + 1]))
            end
        end
        for _, name in ipairs(sums) do call('HINCRBY', b.prefix .. KEY.COUNTS, name, integer(sums[name])) end
    end

    -- After a long time without ticks: what the windows held is over; drops minutes from `rolled` on, some at a time.
    local function stats_skip(b, rolled, to)
        local keys, last = {b.prefix .. KEY.STATS .. '5', b.prefix .. KEY.STATS .. '60'}, math.min(rolled + 500, to)
        for minute = rolled - 60, last do
            keys[#keys + 1] = b.prefix .. KEY.STATS .. integer(minute)
            if minute > rolled and call('EXISTS', keys[#keys]) == 1 then ever_add(b, minute) end
        end
        call('DEL', unpack(keys))
        return last
    end

    -- Rolls full minutes into the windows and drops what is older than an hour.
    local function stats_roll(b)
        local current = math.floor(b.now / 60000)
        local rolled = tonumber(call('HGET', b.prefix .. KEY.GATE, 'rolled'))
        local last = math.min(current - 1, rolled + ROLLED_AT_ONCE)
        if current - rolled > 125 then
            last = stats_skip(b, rolled, current - 62)
        else
            for minute = rolled + 1, last do
                stats_add(b, minute, '5', 1)
                stats_add(b, minute, '60', 1)
                ever_add(b, minute)
                stats_add(b, minute - 5, '5', -1)
                stats_add(b, minute - 60, '60', -1)
                call('DEL', b.prefix .. KEY.STATS .. integer(minute - 60))
            end
        end
        call('HSET', b.prefix .. KEY.GATE, 'rolled', integer(last))
    end

    -- Above 70% of maxmemory what ends from now on is kept for a tenth of its time; above 80% ingest refuses.
    local function pressure_update(b)
        local memory = call('INFO', 'memory')
        local used, most = tonumber(memory:match('used_memory:(%d+)')), tonumber(memory:match('maxmemory:(%d+)'))
        local pressure = most == 0 and '0' or used > 0.8 * most and '2' or used > 0.7 * most and '1' or '0'
        if pressure ~= (b.pressure or '0') then call('HSET', b.prefix .. KEY.GATE, 'pressure', pressure) end
    end

    -- Once a second a shard, or when much was removed (`gone`: since the last time): everything that may be late. Answers in
    -- how many ms it is to be done again because there is more to do; nil: whenever the next tick comes.
    function housekeeping(b, removed)
        local gate = b.prefix .. KEY.GATE
        local g = call('HMGET', gate, GATE_KEEPING.NAMES)
        local gone = tonumber(g[GATE_KEEPING.GONE] or 0) + removed
        if removed > 0 then call('HSET', gate, 'unswept', b.now_text, 'gone', integer(gone)) end
        local more_ms = (removed > 0 or g[GATE_KEEPING.UNSWEPT]) and HOUSEKEEPING_MS or nil
        if b.now - tonumber(g[GATE_KEEPING.SWEPT] or 0) < HOUSEKEEPING_MS and gone < SWEEP_IDS then return more_ms end
        sweep_born(b, gone)
        sweep_workers(b, gone)
        trim(b, INDEX.CHANGES, tonumber(g[GATE_KEEPING.LOG_DAYS] or 30))
        trim(b, INDEX.DELETED, tonumber(g[GATE_KEEPING.DELETED_LOG_DAYS] or 15))
        local more_names = names_forget(b)
        instances_forget(b)
        park_expire(b, SWEEP_IDS)
        stats_roll(b)
        pressure_update(b)
        if gone > 0 then call('HDEL', gate, 'gone') end
        call('HSET', gate, 'swept', more_names and '0' or b.now_text)
        return more_names and 0 or more_ms
    end
end
