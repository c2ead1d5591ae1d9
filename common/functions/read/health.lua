-- What is wrong with the queue: `health` of bgop_stats, [{"what","where","since","text"}], empty when all is well. what: a
-- kind of common/record/health.h, in its order; since: epoch ms, null when nobody knows. Nothing here believes that whoever
-- wrote a state still lives: the age of its last beat decides, by the server's clock.
read.part({}, function()
    local SHOWN_MAX = 20        -- of a kind: a thousand workers that died at once are one line more
    local LEASE_MS = 30000      -- where the gate does not say

    -- ---- the list ----

    local function tell(troubles, what, where, since, text)
        local of = troubles[what] or {}
        troubles[what] = of
        of[#of + 1] = {where = where, since = since, text = text}
    end

    local function trouble_json(what, where, since, text)
        return '{"what":' .. read.json_text(what) .. ',"where":' .. read.json_text(where) .. ',"since":' ..
               (since and read.json_number(since) or 'null') .. ',"text":' .. read.json_text(text) .. '}'
    end

    local function troubles_json(troubles, most)
        local out = {}
        for _, what in ipairs(TROUBLES) do
            local of = troubles[what] or {}
            for i = 1, math.min(#of, most) do out[#out + 1] = trouble_json(what, of[i].where, of[i].since, of[i].text) end
            if #of > most then
                out[#out + 1] = trouble_json(what, 'others', of[most + 1].since, 'and ' .. #of - most .. ' more')
            end
        end
        return '[' .. table.concat(out, ',') .. ']'
    end

    -- A beat from the future is as old as one from the past: the clock was set back since, and who lives has beaten again.
    local function late(now, seen, bound) return math.abs(now - seen) > bound end

    local function since_and_text(outage) return tonumber(outage:match('^%d+')), outage:match('^%d+ (.*)$') end

    local function tell_outages(troubles, who, kafka, redis_outage)
        if kafka then tell(troubles, HEALTH.KAFKA_AWAY, who, since_and_text(kafka)) end
        if redis_outage then tell(troubles, HEALTH.REDIS_AWAY, who, since_and_text(redis_outage)) end
    end

    -- ---- coordinators: all beat to shard 0 ----

    -- Answers whether one lives; true where that is not to be seen from these shards.
    local function look_at_coordinators(troubles, shards, now)
        if shards[1] ~= 0 then return true end
        local prefix, alive, last, gone = read.prefix(0), false, nil, {}
        local list = call('ZRANGE', prefix .. KEY.COORDINATORS, 0, -1, 'WITHSCORES')
        for i = 1, #list, 2 do
            local instance, seen = list[i], tonumber(list[i + 1])
            local c = call('HMGET', prefix .. KEY.COORDINATOR .. instance, COORDINATOR.NAMES)
            local left = c[COORDINATOR.STATE] == 'left'
            last = math.max(last or seen, seen)
            if not left and not late(now, seen, BOUND.COORDINATOR_LATE_MS) then
                alive = true
                tell_outages(troubles, 'coordinator ' .. instance, c[COORDINATOR.KAFKA], c[COORDINATOR.REDIS])
            elseif not left then
                gone[#gone + 1] = {instance = instance, seen = seen}
            end
        end
        for _, one in ipairs(gone) do
            if not alive or not late(now, one.seen, BOUND.TOLD_MS) then
                tell(troubles, HEALTH.COORDINATOR_GONE, 'coordinator ' .. one.instance, one.seen,
                     'ended without leaving; last heard of at ' .. read.date(integer(one.seen)))
            end
        end
        if not alive then
            tell(troubles, HEALTH.COORDINATOR_NONE, 'the queue', last, last and
                 'no coordinator runs; the last one was heard of at ' .. read.date(integer(last)) or
                 'no coordinator runs that says so')
        end
        return alive
    end

    -- ---- partitions ----

    local STATE_KINDS = {
        halted = {HEALTH.SOURCE_HALTED, 0}, healing = {HEALTH.SOURCE_HEALING, 0}, lags = {HEALTH.SOURCE_LAGGING, 0},
        waits = {HEALTH.SOURCE_WAITING, BOUND.SOURCE_WAITING_MS},
    }

    local function look_at_source(troubles, shard, name, seen, attended, now)
        local s = call('HMGET', read.prefix(shard) .. KEY.SOURCE .. name, SOURCE.NAMES)
        local since, kind = tonumber(s[SOURCE.SINCE]) or seen, STATE_KINDS[s[SOURCE.STATE]]
        local unread = late(now, seen, BOUND.SOURCE_UNREAD_MS)
        if kind and (kind[1] == HEALTH.SOURCE_HALTED or not unread) and now - since >= kind[2] then
            tell(troubles, kind[1], name, since, s[SOURCE.WHY] or '')
        end
        if unread and attended and s[SOURCE.STATE] ~= 'halted' then
            local by = s[SOURCE.INSTANCE] and 'the last to do so was coordinator ' .. s[SOURCE.INSTANCE] or 'nobody has so far'
            tell(troubles, HEALTH.SOURCE_UNREAD, name, seen, 'no coordinator reads it; ' .. by)
        end
    end

    local function look_at_sources(troubles, shards, attended, now)
        for _, shard in ipairs(shards) do
            local list = call('ZRANGE', read.prefix(shard) .. KEY.SOURCES, 0, -1, 'WITHSCORES')
            for i = 1, #list, 2 do look_at_source(troubles, shard, list[i], tonumber(list[i + 1]), attended, now) end
        end
    end

    -- ---- shards ----

    local function server_started(now)
        local uptime = call('INFO', 'server'):match('uptime_in_seconds:(%d+)')
        return uptime and now - tonumber(uptime) * 1000
    end

    local function look_at_shards(troubles, shards, gates, now)
        for _, shard in ipairs(shards) do
            local gate = gates[shard]
            local mode, since, text = gate.mode, gate.armed, 'replays its logs'
            if mode == 'EMPTY' then
                since, text = nil, 'was never armed: its coordinator has not come to it, or cannot reach Kafka'
            elseif gate.run ~= run_id() then
                since, text = server_started(now), 'Redis was started since it was armed, and no coordinator has armed it again'
            end
            if mode ~= 'OPEN' then tell(troubles, HEALTH.SHARD_CLOSED, 'shard ' .. shard, since, text) end
        end
    end

    -- ---- actions: all are in shard 0; who runs one renews `until` ----

    local function look_at_actions(troubles, shards, now)
        if shards[1] ~= 0 then return end
        local prefix = read.prefix(0)
        local list = call('ZRANGE', prefix .. KEY.ACTIONS_RUNNING, 0, -1, 'WITHSCORES')
        for i = 1, #list, 2 do
            local f = call('HMGET', prefix .. KEY.ACTION .. list[i], ACTION_RUN.NAMES)
            local since = tonumber(f[ACTION_RUN.UNTIL] or nil) or 0
            since = since > 0 and since or tonumber(list[i + 1])
            if f[ACTION_RUN.STATE] == 'Running' and now - since > BOUND.ACTION_HALTED_MS then
                tell(troubles, HEALTH.ACTION_HALTED, 'action ' .. list[i], since, (f[ACTION_RUN.KIND] or 'it') ..
                     ' has settled ' .. (f[ACTION_RUN.CURSOR] or '0') .. ' operations, and ' ..
                     (f[ACTION_RUN.OWNER] and 'coordinator ' .. f[ACTION_RUN.OWNER] .. ' runs it no longer' or
                      'no coordinator has begun'))
            end
        end
    end

    -- ---- workers: they beat by renewing, in every shard ----

    -- shard -> (instance, when it was heard of there)*, of those that are to be told of, alive or gone.
    function read.workers_heard(shards, gates, now)
        local lease_ms, heard = LEASE_MS, {}
        for _, shard in ipairs(shards) do lease_ms = math.max(lease_ms, gates[shard].lease_ms or 0) end
        local since = integer(now - lease_ms - BOUND.TOLD_MS)
        for _, shard in ipairs(shards) do
            local list = call('ZRANGEBYSCORE', read.prefix(shard) .. KEY.WORKERS, since, '+inf', 'WITHSCORES')
            for i = 2, #list, 2 do list[i] = tonumber(list[i]) end
            heard[shard] = list
        end
        return heard
    end

    -- instance -> {last, shard}: heard of within a lease's time, last by that shard.
    function read.workers_alive(shards, gates, heard, now)
        local alive = {}
        for _, shard in ipairs(shards) do
            local list, since = heard[shard], now - (gates[shard].lease_ms or LEASE_MS)
            for i = 1, #list, 2 do
                local instance, last = list[i], list[i + 1]
                if last > since and (not alive[instance] or alive[instance].last < last) then
                    alive[instance] = {last = last, shard = shard}
                end
            end
        end
        return alive
    end

    -- When each was last heard of anywhere; `lease_ms` of the queue.
    local function workers_seen(shards, gates, heard, now)
        local seen, lease_ms = {}, 0
        for _, shard in ipairs(shards) do lease_ms = math.max(lease_ms, gates[shard].lease_ms or 0) end
        local since = now - lease_ms - BOUND.TOLD_MS
        for _, shard in ipairs(shards) do
            local list = heard[shard]
            for i = 1, #list, 2 do
                if list[i + 1] >= since then seen[list[i]] = math.max(seen[list[i]] or 0, list[i + 1]) end
            end
        end
        return seen, lease_ms
    end

    -- A shard that is closed is renewed in by nobody: workers are judged when all have been open for a lease's time.
    function read.workers_can_beat(shards, gates, now)
        for _, shard in ipairs(shards) do
            if gates[shard].mode ~= 'OPEN' or now < gates[shard].floor then return false end
        end
        return true
    end

    local function look_at_workers(troubles, shards, gates, heard, now)
        local seen, lease_ms = workers_seen(shards, gates, heard, now)
        local judged, names, first = read.workers_can_beat(shards, gates, now), {}, read.prefix(shards[1])
        for instance in pairs(seen) do names[#names + 1] = instance end
        table.sort(names)
        for _, instance in ipairs(names) do
            local w = call('HMGET', first .. KEY.INSTANCE .. instance, WORKER_OUTAGES.NAMES)
            local who = 'worker ' .. instance
            if now - seen[instance] <= lease_ms then
                tell_outages(troubles, who, w[WORKER_OUTAGES.KAFKA], w[WORKER_OUTAGES.REDIS])
            elseif judged then
                tell(troubles, HEALTH.WORKER_GONE, who, seen[instance],
                     'ended without leaving (status page ' .. (w[WORKER_OUTAGES.URI] or 'unknown') .. '); last heard of at ' ..
                     read.date(integer(seen[instance])))
            end
        end
    end

    -- ---- the clock ----

    local function seconds(ms) return string.format('%.1f s', ms / 1000) end

    -- One server's shards are told of together: by the first.
    local function look_at_clock(troubles, shards, gates, clock)
        local ahead, behind = false, false
        for _, shard in ipairs(shards) do
            local by, last = gates[shard].ahead, gates[shard].now
            local of = 'the clock of shard ' .. shard .. "'s server was set "
            if by > 0 and not ahead then
                ahead = true
                tell(troubles, HEALTH.CLOCK_AHEAD, 'Redis', gates[shard].ahead_since, of .. 'forward by ' ..
                     seconds(by) .. ': timers and leases go on by the time before, until it has stayed so for ' .. seconds(BOUND.CLOCK_DOUBTED_MS))
            end
            if last - clock > BOUND.CLOCK_GAP_MS and not behind then
                behind = true
                tell(troubles, HEALTH.CLOCK_BEHIND, 'Redis', nil, of .. 'back by ' .. seconds(last - clock) ..
                     ': timers, leases and retries stand still until it is ' .. read.date(integer(last)))
            end
        end
    end

    -- gates: read.gates; heard: read.workers_heard. clock: this server's, by which beats are; now: the queue's time. part: of
    -- who adds up several, so nothing is cut.
    function read.health(shards, gates, heard, now, clock, part)
        local troubles, most = {}, part and 1e9 or SHOWN_MAX
        if not shards[1] then
            tell(troubles, HEALTH.QUEUE_MISSING, 'this Redis', nil, 'no coordinator has set up a queue on it')
            return troubles_json(troubles, most)
        end
        local attended = look_at_coordinators(troubles, shards, clock)
        look_at_sources(troubles, shards, attended, clock)
        look_at_shards(troubles, shards, gates, clock)
        look_at_clock(troubles, shards, gates, clock)
        look_at_actions(troubles, shards, clock)
        look_at_workers(troubles, shards, gates, heard, now)
        return troubles_json(troubles, most)
    end
end)
