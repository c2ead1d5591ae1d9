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

    local function take_modes(answer, shards, gates)
        local empty = 0
        answer.recovering = {}
        for _, shard in ipairs(shards) do
            local mode = gates[shard].mode
            if mode == 'EMPTY' then empty = empty + 1 end
            if mode ~= 'OPEN' then answer.recovering[#answer.recovering + 1] = shard end
        end
        answer.mode = empty == #shards and 'EMPTY' or answer.recovering[1] and 'RECOVERING' or 'OPEN'
    end

    -- What the names of counters say: {type, status}, {ever = true} of a time since ever, else a total since ever.
    local meaning = read.remembering(function(name)
        local type, status = name:match('^(.*):(%a+)$')
        return {type = type, status = status, ever = name:find('^[wr][%ds]%d*$') ~= nil}
    end)

    -- `counts` holds "Type:Status", and under names without a colon totals since ever, those of times among them.
    -- failures: of each shard, how often something has come to its errors.
    local function take_counts(answer, shards)
        local sums, failures = {failed = 0, retried = 0}, 0
        answer.by_type, answer.totals, answer.ever, answer.failures = {}, {accepted = 0, duplicates = 0, rejected = 0}, {}, {}
        for i, shard in ipairs(shards) do
            take_hash(sums, read.prefix(shard) .. KEY.COUNTS)
            answer.failures[i] = sums.failed + sums.retried - failures
            failures = sums.failed + sums.retried
        end
        if sums.failed == 0 then sums.failed = nil end
        if sums.retried == 0 then sums.retried = nil end
        for name, number in pairs(sums) do
            local of = meaning[name]
            if of.ever then
                answer.ever[name] = number
            elseif not of.type then
                answer.totals[name] = number
            elseif number ~= 0 then
                answer.by_type[of.type] = answer.by_type[of.type] or {}
                answer.by_type[of.type][of.status] = number
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

    -- Buckets by their names: {kind (w or r), n, ever: the name of that since ever}; {}: it is none. ws and rs are sums.
    local buckets = read.remembering(function(name)
        local kind, n = name:match('^([wr])(%d+)$')
        if kind then return {kind = kind, n = tonumber(n), ever = kind .. math.ceil(n / 4)} end
        return {ever = (name == 'ws' or name == 'rs') and name}
    end)

    -- Times since ever, of one minute that is not rolled up: each of its buckets is a fourth of one of these.
    local function add_ever(ever, name, number)
        local to = buckets[name].ever
        if to then add(ever, to, number) end
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

    -- What the full minutes before `minute` say of a shard: the same until it is over, or ticks have rolled up another one.
    local function over_read(stats, gate, minute)
        local over, rolled = {minute = minute, sums = {}, hour = {}, ever = {}}, gate.rolled or minute - 1
        for w = 1, #WINDOWS do over.sums[w] = {0, 0, 0, 0} end
        take_hash(over.hour, stats .. '60')
        take_rates(over.sums[1], stats .. integer(minute - 1), 1)
        for w = 2, #WINDOWS do take_window(over.sums[w], stats, WINDOWS[w].minutes, rolled, minute) end
        take_unrolled_ever(over.ever, stats, math.max(rolled + 1, minute - 1440), minute - 1)
        return over
    end

    local function over_of(shard, gate, stats, minute)
        local memory = read.memory(shard, gate)
        local over = memory.over
        if not over or over.minute ~= minute then
            over = over_read(stats, gate, minute)
            if minute <= gate.minute then memory.over = over end        -- else something may still be counted before it
        end
        return over
    end

    local function add_all(sums, numbers)
        for name, number in pairs(numbers) do sums[name] = (sums[name] or 0) + number end
    end

    -- What several shards say together. The last one is kept: mostly each of them says what it said then.
    local whole = {}

    local function is_of(sum, overs)
        for i = 1, #overs do
            if sum[i] ~= overs[i] then return false end
        end
        return #sum == #overs
    end

    local function together(overs)
        if #overs == 1 then return overs[1] end
        if whole.sum and is_of(whole, overs) then return whole.sum end
        local sum = {sums = {}, hour = {}, ever = {}}
        for w = 1, #WINDOWS do sum.sums[w] = {0, 0, 0, 0} end
        for _, over in ipairs(overs) do
            add_all(sum.hour, over.hour)
            add_all(sum.ever, over.ever)
            for w = 1, #WINDOWS do add_all(sum.sums[w], over.sums[w]) end
        end
        whole = overs
        whole.sum = sum
        return sum
    end

    -- A rate is what was counted in the last full minutes and in this one, over the time that these took.
    local function take_windows(answer, shards, gates, now)
        local minute, elapsed = math.floor(now / 60000), now % 60000 / 1000
        local overs, current, hour = {}, {}, {}
        for i, shard in ipairs(shards) do
            local stats = read.prefix(shard) .. KEY.STATS
            overs[i] = over_of(shard, gates[shard], stats, minute)
            take_hash(current, stats .. integer(minute))
        end
        local over = together(overs)
        local sums = over.sums
        add_all(hour, over.hour)
        add_all(answer.ever, over.ever)
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
    local function percentile(of_kind, total, share)
        local wanted, below = total * share, 0
        for _, bucket in ipairs(of_kind) do
            if below + bucket.count >= wanted then
                local from, to = bucket_bounds(bucket.n)
                return from + (to - from) * (wanted - below) / bucket.count
            end
            below = below + bucket.count
        end
    end

    local function times_json(hour, kind)
        local of_kind, total = {}, 0
        for name, count in pairs(hour) do
            local bucket = buckets[name]
            if bucket.kind == kind and count > 0 then
                of_kind[#of_kind + 1] = {n = bucket.n, count = count}
                total = total + count
            end
        end
        table.sort(of_kind, function(a, b) return a.n < b.n end)
        local out = {}
        for i, share in ipairs({50, 95, 99}) do
            local ms = percentile(of_kind, total, share / 100)
            out[i] = '"p' .. share .. '":' .. (ms and string.format('%.1f', ms) or 'null')
        end
        return '{' .. table.concat(out, ',') .. ',"count":' .. read.json_number(total) .. '}'
    end

    -- ---- times since ever ----

    local function ever_json(ever, kind)
        local numbers, last = {}, 0
        for name in pairs(ever) do
            local bucket = buckets[name]
            if bucket.kind == kind then last = math.max(last, bucket.n) end
        end
        for n = 0, last do numbers[n + 1] = read.json_number(ever[kind .. n] or 0) end
        return '{"buckets":[' .. table.concat(numbers, ',') .. '],"sumMs":' .. read.json_number(ever[kind .. 's'] or 0) .. '}'
    end

    -- ---- errors, workers ----

    -- How many of the newest errors of each shard are looked at: all where there are few, else the same number.
    local function error_shares(counts)
        local total, share, shares = 0, ERRORS_MAX, {}
        for _, count in ipairs(counts) do total = total + count end
        if total > ERRORS_MAX then
            local left, rising = ERRORS_MAX, {unpack(counts)}
            table.sort(rising)
            for i, count in ipairs(rising) do
                share = math.floor(left / (#rising - i + 1))
                if count > share then break end
                left = left - count
            end
        end
        for i, count in ipairs(counts) do shares[i] = math.min(count, share) end
        return shares
    end

    -- So many of the newest errors of a shard: text -> count, and how many were looked at. Texts are read once, because a text
    -- belongs to (Id, FinishedAt): what fails again was claimed before, so it finishes later than the shard's time is now.
    local function errors_read(shard, gate, share, known)
        local ops, texts, finished_at, text_of = read.ops(shard), {}, {}, {}
        local list = call('ZREVRANGE', read.prefix(shard) .. KEY.ERRORS, 0, share - 1, 'WITHSCORES')
        for i = 1, #list, 2 do
            local id, finished = list[i], list[i + 1]
            local is_known = known.finished_at[id] == finished
            local text = is_known and known.text_of[id] or call('HGET', ops .. id, 'Error')
            if text then
                texts[text] = (texts[text] or 0) + 1
                if is_known or tonumber(finished) < gate.now then finished_at[id], text_of[id] = finished, text end
            end
        end
        return {texts = texts, looked_at = #list / 2, finished_at = finished_at, text_of = text_of}
    end

    -- The same, from memory as long as it is the same list: as many as then, and none has come since (`failures` counts what
    -- comes; but for what the doctor puts back, which shows as one more).
    local function errors_of(shard, gate, share, count, failures)
        local memory = read.memory(shard, gate)
        local of = memory.errors
        if not of or of.share ~= share or of.count ~= count or of.failures ~= failures then
            of = errors_read(shard, gate, share, of or {finished_at = {}, text_of = {}})
            of.share, of.count, of.failures = share, count, failures
            memory.errors = of
        end
        return of
    end

    local function errors_json(shards, gates, failures, part)
        local counts, sizes, texts, looked_at = {}, {}, {}, 0
        for i, shard in ipairs(shards) do sizes[i] = call('ZCARD', read.prefix(shard) .. KEY.ERRORS) end
        for i, share in ipairs(part and {part} or error_shares(sizes)) do
            if share > 0 and sizes[i] > 0 then
                local of = errors_of(shards[i], gates[shards[i]], share, sizes[i], failures[i])
                looked_at = looked_at + of.looked_at
                for text, count in pairs(of.texts) do
                    if not counts[text] then texts[#texts + 1] = text end
                    counts[text] = (counts[text] or 0) + count
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

    local function workers_json(live)
        local out = {}
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
        local shards = {shard}
        local gates = read.gates(shards)
        local heard = read.workers_heard(shards, gates, now)
        for instance in pairs(read.workers_alive(shards, gates, heard, now)) do
            local types = call('HGET', read.prefix(shard) .. KEY.INSTANCE .. instance, 'types')
            if types and (' ' .. types .. ' '):find(' ' .. type .. ' ', 1, true) then return true end
        end
        return false
    end

    function read.calls.bgop_stats(keys, args)
        local shards, answer = read.shards(keys), {}
        local gates = read.gates(shards)
        local now, clock = read.now(shards, gates)
        local given = args[STATS.ERRORS]
        local part = given and given:match('^%d%d?%d?$') and tonumber(given)
        if #args > 1 or given and (not part or part > ERRORS_MAX or not keys[1]) then
            read.fail('MALFORMED_QUERY', 'bgop_stats takes no arguments, or of one shard how many errors, 0 to %d', ERRORS_MAX)
        end
        take_modes(answer, shards, gates)
        take_counts(answer, shards)
        take_claimable(answer, shards, now)
        take_windows(answer, shards, gates, now)
        local errors, looked_at = errors_json(shards, gates, answer.failures, part)
        local heard = read.workers_heard(shards, gates, now)
        local workers, worker_count = workers_json(read.workers_alive(shards, gates, heard, now))
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
            ',"recovering":[', table.concat(answer.recovering, ','), '],"health":', read.health(shards, gates, heard, now, clock, part),
            part and ',"hour":' .. numbers_json(answer.hour) or '',
            part and ',"workersJudged":' .. tostring(read.workers_can_beat(shards, gates, now)) or '', '}',
        })
    end
end)
