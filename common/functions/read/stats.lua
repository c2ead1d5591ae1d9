-- bgop_stats: the queue in numbers. Cheap whatever the queue holds: counters, four small hashes a shard, the heads of
-- the pending indexes, and the newest 500 errors (beyond that many, as many of each shard).
--   keys  none or bgop:{s}    args  [errors, 0 to 500]: a part for who adds up shards of several servers. So many of the
--         newest errors are looked at, nothing is cut, rates are not rounded, and there is also "hour":{bucket:n}, and
--         "workersJudged" (workers that were not heard of are gone)
--   ->    {"mode","shards","byType":{Type:{Status:n}},"oldestWaitingMs":{Type:ms},
--          "rates":{"accepted":{"1m","5m","60m"},"finished":..,"failed":..,"retried":..},          a second
--          "wait":{"p50","p95","p99","count"},"run":{..},            ms, of the last hour
--          "errors":[{"error","count"}..],"errorsLookedAt","workers","workerList":[{..}],
--          "accepted","duplicates","rejected","totals":{every counter since ever},"recovering":[shards],
--          "claimable":{Type:n},"blocked":n,                      in `pending`; members that failed and hold others
--          "actionsRunning":n,
--          "waitEver":{"buckets":[n..],"sumMs"},"runEver":{..},    since ever; bucket i: below 2^i ms, and not below 2^(i-1)
--          "health":[{"what","where","since","text"}..]}           what is wrong: health.lua; empty when all is well
-- mode: OPEN; RECOVERING while any shard replays its log (numbers are what Redis knows so far); EMPTY: no queue yet.
read.part({'bgop_stats'}, function()
    local ERRORS_MAX, TEXTS_MAX = 500, 50
    local WINDOWS = {{name = '1m', minutes = 1}, {name = '5m', minutes = 5}, {name = '60m', minutes = 60}}
    local RATES = {'accepted', 'finished', 'failed', 'retried'}

    local function add(sums, name, number) sums[name] = (sums[name] or 0) + number end

    local function sorted_names(of)
        local names = {}
        for name in pairs(of) do names[#names + 1] = name end
        table.sort(names)
        return names
    end

    local function numbers_json(of)
        local out = {}
        for i, name in ipairs(sorted_names(of)) do
            out[i] = read.json_text(name) .. ':' .. read.json_number(of[name])
        end
        return '{' .. table.concat(out, ',') .. '}'
    end

    -- Fields of a hash of counters, added to sums.
    local function take_hash(sums, hash)
        local all = call('HGETALL', hash)
        for i = 1, #all, 2 do
            local name = all[i]
            sums[name] = (sums[name] or 0) + all[i + 1]
        end
    end

    -- ---- modes, counts ----

    local function take_modes(answer, shards)
        local empty = 0
        answer.recovering = {}
        for _, shard in ipairs(shards) do
            local mode = read.gate(shard)
            if mode == 'EMPTY' then empty = empty + 1 end
            if mode ~= 'OPEN' then answer.recovering[#answer.recovering + 1] = shard end
        end
        answer.mode = empty == #shards and 'EMPTY' or answer.recovering[1] and 'RECOVERING' or 'OPEN'
    end

    -- `counts` holds "Type:Status", and under names without a colon totals since ever, those of times among them.
    local function take_counts(answer, shards)
        local sums = {}
        answer.by_type, answer.totals, answer.ever = {}, {accepted = 0, duplicates = 0, rejected = 0}, {}
        for _, shard in ipairs(shards) do take_hash(sums, read.prefix(shard) .. KEY.COUNTS) end
        for name, number in pairs(sums) do
            local type, status = name:match('^(.*):(%a+)$')
            if name:find('^[wr][%ds]%d*$') then
                answer.ever[name] = number
            elseif not type then
                answer.totals[name] = number
            elseif number ~= 0 then
                answer.by_type[type] = answer.by_type[type] or {}
                answer.by_type[type][status] = number
            end
        end
    end

    local function by_type_json(by_type)
        local out = {}
        for i, type in ipairs(sorted_names(by_type)) do
            out[i] = read.json_text(type) .. ':' .. numbers_json(by_type[type])
        end
        return '{' .. table.concat(out, ',') .. '}'
    end

    -- How many of each Type can be claimed, and how long the oldest of them has been waiting.
    local function take_claimable(answer, shards, now)
        answer.oldest, answer.claimable = {}, {}
        for type, statuses in pairs(answer.by_type) do
            if (statuses.New or 0) + (statuses.Waiting or 0) > 0 then
                local oldest, count = nil, 0
                for _, shard in ipairs(shards) do
                    local pending = read.prefix(shard) .. KEY.PENDING .. type
                    local head = call('ZRANGE', pending, 0, 0, 'WITHSCORES')
                    if head[2] then
                        oldest = math.min(oldest or tonumber(head[2]), tonumber(head[2]))
                        count = count + call('ZCARD', pending)
                    end
                end
                if oldest then answer.oldest[type], answer.claimable[type] = math.max(now - oldest, 0), count end
            end
        end
    end

    local function blocked_count(shards)
        local count = 0
        for _, shard in ipairs(shards) do count = count + call('ZCARD', read.prefix(shard) .. KEY.BLOCKED) end
        return count
    end

    -- Actions are in shard 0.
    local function actions_count(shards)
        return shards[1] == 0 and call('ZCARD', read.prefix(0) .. KEY.ACTIONS_RUNNING) or 0
    end

    -- ---- rates and times: stats:<minute> of this minute, stats:5 and stats:60 of full minutes up to `rolled` ----

    -- Numbers of RATES in a hash, added to sums by sign.
    local function take_rates(sums, hash, sign)
        for i, number in ipairs(call('HMGET', hash, unpack(RATES))) do
            if number then sums[i] = sums[i] + sign * tonumber(number) end
        end
    end

    -- The same of the minutes from ... to: most of those that nobody rolled up are not there.
    local function take_minutes(sums, stats, from, to, sign)
        for first = from, to, 8 do
            local keys = {}
            for minute = first, math.min(first + 7, to) do keys[#keys + 1] = stats .. integer(minute) end
            if call('EXISTS', unpack(keys)) > 0 then
                for _, key in ipairs(keys) do take_rates(sums, key, sign) end
            end
        end
    end

    -- Sums of the last `minutes` full minutes before `minute`: what tick has rolled up, put right by the minutes since
    -- (one, for a moment after each full minute; more when nothing ticks).
    local function take_window(sums, stats, minutes, rolled, minute)
        local late = math.max(math.min(minute - 1 - rolled, minutes), 0)
        local over = rolled - minutes + late            -- the last one that is over
        if late <= minutes / 2 then
            take_rates(sums, stats .. minutes, 1)
            take_minutes(sums, stats, rolled - minutes + 1, over, -1)
        else
            take_minutes(sums, stats, over + 1, rolled, 1)
        end
        take_minutes(sums, stats, minute - late, minute - 1, 1)
    end

    -- Times since ever, of one minute that is not rolled up: each of its buckets is a fourth of one of these.
    local function add_ever(ever, name, number)
        local kind, n = name:match('^([wr])(%d+)$')
        if kind then
            add(ever, kind .. math.ceil(n / 4), number)
        elseif name == 'ws' or name == 'rs' then
            add(ever, name, number)
        end
    end

    -- Full minutes that nobody has rolled up (none, but for a moment, where somebody ticks): most of them are not there.
    local function take_unrolled_ever(ever, stats, from, to)
        for first = from, to, 8 do
            local keys = {}
            for minute = first, math.min(first + 7, to) do keys[#keys + 1] = stats .. integer(minute) end
            if call('EXISTS', unpack(keys)) > 0 then
                for _, key in ipairs(keys) do
                    local all = call('HGETALL', key)
                    for i = 1, #all, 2 do add_ever(ever, all[i], all[i + 1]) end
                end
            end
        end
    end

    -- A rate is what was counted in the last full minutes and in this one, over the time that these took.
    local function take_windows(answer, shards, now)
        local minute, elapsed = math.floor(now / 60000), now % 60000 / 1000
        local sums, current, hour = {}, {}, {}
        for w = 1, #WINDOWS do sums[w] = {0, 0, 0, 0} end
        for _, shard in ipairs(shards) do
            local stats = read.prefix(shard) .. KEY.STATS
            local rolled = tonumber(call('HGET', read.prefix(shard) .. KEY.GATE, 'rolled')) or minute - 1
            take_hash(current, stats .. integer(minute))
            take_hash(hour, stats .. '60')
            take_rates(sums[1], stats .. integer(minute - 1), 1)
            for w = 2, #WINDOWS do take_window(sums[w], stats, WINDOWS[w].minutes, rolled, minute) end
            take_unrolled_ever(answer.ever, stats, math.max(rolled + 1, minute - 1440), minute - 1)
        end
        answer.rates, answer.hour = {}, hour
        for i, name in ipairs(RATES) do
            local rates, now_count = {}, current[name] or 0
            rates[1] = (sums[1][i] * (1 - elapsed / 60) + now_count) / 60
            for w = 2, #WINDOWS do rates[w] = (sums[w][i] + now_count) / (WINDOWS[w].minutes * 60 + elapsed) end
            answer.rates[name] = rates
        end
        for name, number in pairs(current) do
            add(hour, name, number)
            add_ever(answer.ever, name, number)
        end
    end

    local function rates_json(rates, format)
        local out = {}
        for i, name in ipairs(RATES) do
            local windows = {}
            for w, window in ipairs(WINDOWS) do
                windows[w] = string.format('"%s":' .. format, window.name, rates[name][w])
            end
            out[i] = '"' .. name .. '":{' .. table.concat(windows, ',') .. '}'
        end
        return '{' .. table.concat(out, ',') .. '}'
    end

    -- Bucket 0 holds times below 1 ms, bucket n those of [2^((n-1)/4), 2^(n/4)) ms.
    local function bucket_bounds(n)
        if n == 0 then return 0, 1 end
        return 2 ^ ((n - 1) / 4), 2 ^ (n / 4)
    end

    -- The time below which this share of all lies, as if a bucket's were spread evenly over it.
    local function percentile(buckets, total, share)
        local wanted, below = total * share, 0
        for _, bucket in ipairs(buckets) do
            if below + bucket.count >= wanted then
                local from, to = bucket_bounds(bucket.n)
                return from + (to - from) * (wanted - below) / bucket.count
            end
            below = below + bucket.count
        end
    end

    local function times_json(hour, kind)
        local buckets, total = {}, 0
        for name, count in pairs(hour) do
            local n = name:match('^' .. kind .. '(%d+)$')
            if n and count > 0 then
                buckets[#buckets + 1] = {n = tonumber(n), count = count}
                total = total + count
            end
        end
        table.sort(buckets, function(a, b) return a.n < b.n end)
        local out = {}
        for i, share in ipairs({50, 95, 99}) do
            local ms = percentile(buckets, total, share / 100)
            out[i] = '"p' .. share .. '":' .. (ms and string.format('%.1f', ms) or 'null')
        end
        return '{' .. table.concat(out, ',') .. ',"count":' .. read.json_number(total) .. '}'
    end

    -- ---- times since ever ----

    local function ever_json(ever, kind)
        local buckets, last = {}, 0
        for name in pairs(ever) do
            local n = name:match('^' .. kind .. '(%d+)$')
            if n then last = math.max(last, tonumber(n)) end
        end
        for n = 0, last do buckets[n + 1] = read.json_number(ever[kind .. n] or 0) end
        return '{"buckets":[' .. table.concat(buckets, ',') .. '],"sumMs":' .. read.json_number(ever[kind .. 's'] or 0) .. '}'
    end

    -- ---- errors, workers ----

    -- How many of the newest errors of each shard are looked at: all where there are few, else the same number.
    local function error_shares(shards)
        local counts, total, share = {}, 0, ERRORS_MAX
        for i, shard in ipairs(shards) do
            counts[i] = call('ZCARD', read.prefix(shard) .. KEY.ERRORS)
            total = total + counts[i]
        end
        if total > ERRORS_MAX then
            local left, rising = ERRORS_MAX, {unpack(counts)}
            table.sort(rising)
            for i, count in ipairs(rising) do
                share = math.floor(left / (#rising - i + 1))
                if count > share then break end
                left = left - count
            end
        end
        for i, count in ipairs(counts) do counts[i] = math.min(count, share) end
        return counts
    end

    local function errors_json(shards, part)
        local counts, texts, looked_at = {}, {}, 0
        for i, share in ipairs(part and {part} or error_shares(shards)) do
            local ops = read.ops(shards[i])
            local ids = share > 0 and call('ZREVRANGE', read.prefix(shards[i]) .. KEY.ERRORS, 0, share - 1) or {}
            looked_at = looked_at + #ids
            for n = 1, #ids do
                local text = call('HGET', ops .. ids[n], 'Error')
                if text then
                    local count = counts[text]
                    if not count then texts[#texts + 1] = text end
                    counts[text] = (count or 0) + 1
                end
            end
        end
        table.sort(texts, function(a, b)
            if counts[a] ~= counts[b] then return counts[a] > counts[b] end
            return a < b
        end)
        local out = {}
        for i = 1, math.min(#texts, part and #texts or TEXTS_MAX) do
            out[i] = '{"error":' .. read.json_text(texts[i]) .. ',"count":' .. counts[texts[i]] .. '}'
        end
        return '[' .. table.concat(out, ',') .. ']', looked_at
    end

    -- Instances heard of within a lease's time: instance -> { last, shard }.
    local function live_workers(shards, now)
        local live = {}
        for _, shard in ipairs(shards) do
            local prefix = read.prefix(shard)
            local lease_ms = tonumber(call('HGET', prefix .. KEY.GATE, 'lease_ms')) or 30000
            local since = '(' .. integer(now - lease_ms)
            local list = call('ZRANGEBYSCORE', prefix .. KEY.WORKERS, since, '+inf', 'WITHSCORES')
            for i = 1, #list, 2 do
                local last = tonumber(list[i + 1])
                if not live[list[i]] or live[list[i]].last < last then live[list[i]] = {last = last, shard = shard} end
            end
        end
        return live
    end

    local function workers_json(shards, now)
        local live, out = live_workers(shards, now), {}
        for i, instance in ipairs(sorted_names(live)) do
            local worker = live[instance]
            local w = call('HMGET', read.prefix(worker.shard) .. KEY.INSTANCE .. instance, WORKER.NAMES)
            out[i] = '{"instance":' .. read.json_text(instance) .. ',"uri":' .. read.json_text_or_null(w[WORKER.URI]) ..
                     ',"types":' .. read.json_text_or_null(w[WORKER.TYPES]) .. ',"slots":' .. (tonumber(w[WORKER.SLOTS]) or 'null') ..
                     ',"lastSeenAt":"' .. read.date(integer(worker.last)) .. '"}'
        end
        return '[' .. table.concat(out, ',') .. ']', #out
    end

    -- Does a live worker known to this shard serve the Type?
    function read.type_is_served(shard, type, now)
        for instance in pairs(live_workers({shard}, now)) do
            local types = call('HGET', read.prefix(shard) .. KEY.INSTANCE .. instance, 'types')
            if types and (' ' .. types .. ' '):find(' ' .. type .. ' ', 1, true) then return true end
        end
        return false
    end

    function read.calls.bgop_stats(keys, args)
        local shards, answer = read.shards(keys), {}
        local now, clock = read.now(shards)
        local given = args[STATS.ERRORS]
        local part = given and given:match('^%d%d?%d?$') and tonumber(given)
        if #args > 1 or given and (not part or part > ERRORS_MAX or not keys[1]) then
            read.fail('MALFORMED_QUERY', 'bgop_stats takes no arguments, or of one shard how many errors, 0 to %d', ERRORS_MAX)
        end
        take_modes(answer, shards)
        take_counts(answer, shards)
        take_claimable(answer, shards, now)
        take_windows(answer, shards, now)
        local errors, looked_at = errors_json(shards, part)
        local workers, worker_count = workers_json(shards, now)
        local totals = answer.totals
        return table.concat({
            '{"mode":"', answer.mode, '","shards":', #shards, ',"byType":', by_type_json(answer.by_type),
            ',"oldestWaitingMs":', numbers_json(answer.oldest), ',"rates":', rates_json(answer.rates, part and '%.9f' or '%.3f'),
            ',"wait":', times_json(answer.hour, 'w'), ',"run":', times_json(answer.hour, 'r'),
            ',"errors":', errors, ',"errorsLookedAt":', looked_at,
            ',"workers":', worker_count, ',"workerList":', workers,
            ',"accepted":', read.json_number(totals.accepted), ',"duplicates":', read.json_number(totals.duplicates),
            ',"rejected":', read.json_number(totals.rejected), ',"totals":', numbers_json(totals),
            ',"claimable":', numbers_json(answer.claimable), ',"blocked":', blocked_count(shards),
            ',"actionsRunning":', actions_count(shards),
            ',"waitEver":', ever_json(answer.ever, 'w'), ',"runEver":', ever_json(answer.ever, 'r'),
            ',"recovering":[', table.concat(answer.recovering, ','), '],"health":', read.health(shards, now, clock, part),
            part and ',"hour":' .. numbers_json(answer.hour) or '',
            part and ',"workersJudged":' .. tostring(read.workers_can_beat(shards, now)) or '', '}',
        })
    end
end)
