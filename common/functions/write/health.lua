-- Who is there, and how it is: what coordinators and workers say of themselves, and coordinators of the partitions they
-- read. None of it decides anything; bgop_stats judges it by its age (read/health.lua). So these two ask the gate only
-- whether there is a queue: they work while a shard is closed, which is when they are needed.
--   bgop_beat      a process: coordinators once a second to shard 0, workers about an outage (shard 0) and when they leave (all)
--     keys  1 shard prefix
--     args  kind (coordinator, worker), instance, state (runs, left), kafka outage, redis outage       '': there is none
--     ->    OK, now  |  WAIT: nothing was ever armed here
--   bgop_source    what a coordinator knows of partitions, once a second
--     args  instance, (source, state, why)*      source: topic[partition]; state: HEALTH_STATES of common/record/health.h
--     ->    as above
-- Time is the server's own clock, not the gate's: who is dead must grow older even when nothing else goes on.
do
    local TEXT_MAX = 600

    local function there(keys) return call('HEXISTS', keys[1] .. KEY.GATE, 'gen') == 1 end

    -- An outage is kept as "since text"; a text that changes while it lasts does not make it a new one.
    local function outage_set(key, name, known, text, now_text)
        if text == '' and known then
            call('HDEL', key, name)
        elseif text ~= '' and not known then
            call('HSET', key, name, now_text .. ' ' .. text:sub(1, TEXT_MAX))
        end
    end

    local function coordinators_forget(prefix, now)
        local coordinators = prefix .. KEY.COORDINATORS
        local gone = call('ZRANGE', coordinators, '-inf', integer(now - BOUND.FORGOTTEN_MS), 'BYSCORE', 'LIMIT', 0, 100)
        for _, instance in ipairs(gone) do
            call('ZREM', coordinators, instance)
            call('DEL', prefix .. KEY.COORDINATOR .. instance)
        end
    end

    local function coordinator_beat(prefix, args, now)
        local key, now_text = prefix .. KEY.COORDINATOR .. args[BEAT.INSTANCE], integer(now)
        local known = call('HMGET', key, COORDINATOR.NAMES)
        if known[COORDINATOR.STATE] ~= args[BEAT.STATE] then call('HSET', key, 'state', args[BEAT.STATE], 'since', now_text) end
        outage_set(key, 'kafka', known[COORDINATOR.KAFKA], args[BEAT.KAFKA], now_text)
        outage_set(key, 'redis', known[COORDINATOR.REDIS], args[BEAT.REDIS], now_text)
        call('ZADD', prefix .. KEY.COORDINATORS, now_text, args[BEAT.INSTANCE])
        coordinators_forget(prefix, now)
    end

    -- A worker's heartbeat is bgop_renew; here it says what that has no room for.
    local function worker_beat(prefix, args, now)
        local key = prefix .. KEY.INSTANCE .. args[BEAT.INSTANCE]
        if args[BEAT.STATE] == 'left' then
            call('ZREM', prefix .. KEY.WORKERS, args[BEAT.INSTANCE])
            call('DEL', key)
        elseif call('HEXISTS', key, 'uri') == 1 then
            local known = call('HMGET', key, WORKER_OUTAGES.NAMES)
            outage_set(key, 'kafka', known[WORKER_OUTAGES.KAFKA], args[BEAT.KAFKA], integer(now))
            outage_set(key, 'redis', known[WORKER_OUTAGES.REDIS], args[BEAT.REDIS], integer(now))
        end
    end

    local BEATS = {coordinator = coordinator_beat, worker = worker_beat}

    local function wrong_instance(instance) return not instance or instance == '' or instance:find('%s') end

    local function beat(keys, args)
        call = redis.call
        if #keys ~= 1 then return invalid('one key expected: bgop:{<shard>}') end
        if #args ~= BEAT.SIZE then return invalid('kind, instance, state, kafka outage, redis outage') end
        if not BEATS[args[BEAT.KIND]] then return invalid('kind: %s', args[BEAT.KIND]) end
        if wrong_instance(args[BEAT.INSTANCE]) then return invalid('instance: %s', args[BEAT.INSTANCE]) end
        if args[BEAT.STATE] ~= 'runs' and args[BEAT.STATE] ~= 'left' then return invalid('state: %s', args[BEAT.STATE]) end
        if not there(keys) then return {'WAIT'} end
        local now = clock_ms()
        BEATS[args[BEAT.KIND]](keys[1], args, now)
        return {'OK', now}
    end

    -- Written when something changed; `sources` alone has the time of each beat.
    local function source_set(prefix, instance, name, state, why, now_text)
        local key = prefix .. KEY.SOURCE .. name
        local known = call('HMGET', key, SOURCE.NAMES)
        if state == 'known' then
            if not known[SOURCE.STATE] then call('HSET', key, 'state', 'known', 'since', now_text) end
            call('ZADD', prefix .. KEY.SOURCES, 'NX', now_text, name)
            return
        end
        if known[SOURCE.STATE] ~= state then call('HSET', key, 'state', state, 'since', now_text) end
        if known[SOURCE.INSTANCE] ~= instance then call('HSET', key, 'instance', instance) end
        if (known[SOURCE.WHY] or '') ~= why then call('HSET', key, 'why', why) end
        call('ZADD', prefix .. KEY.SOURCES, now_text, name)
    end

    local function check_sources(args)
        if wrong_instance(args[SOURCE_BEAT.INSTANCE]) then return 'instance: ' .. tostring(args[SOURCE_BEAT.INSTANCE]) end
        local count = (#args - SOURCE_BEAT.SIZE) / SOURCE_STATE.SIZE
        if count ~= math.floor(count) then return 'sources: incomplete' end
        if count > MAX_ITEMS then return 'sources: more than ' .. MAX_ITEMS end
        for i = SOURCE_BEAT.SIZE + 1, #args, SOURCE_STATE.SIZE do
            if not args[i + SOURCE_STATE.SOURCE]:find('^%S+%[%d+%]$') then return 'source: ' .. args[i + SOURCE_STATE.SOURCE] end
            if not SOURCE_STATES[args[i + SOURCE_STATE.STATE]] then return 'state: ' .. args[i + SOURCE_STATE.STATE] end
        end
    end

    local function source(keys, args)
        call = redis.call
        if #keys ~= 1 then return invalid('one key expected: bgop:{<shard>}') end
        local wrong = check_sources(args)
        if wrong then return invalid('%s', wrong) end
        if not there(keys) then return {'WAIT'} end
        local now = clock_ms()
        for i = SOURCE_BEAT.SIZE + 1, #args, SOURCE_STATE.SIZE do
            source_set(keys[1], args[SOURCE_BEAT.INSTANCE], args[i + SOURCE_STATE.SOURCE], args[i + SOURCE_STATE.STATE],
                       args[i + SOURCE_STATE.WHY]:sub(1, TEXT_MAX), integer(now))
        end
        return {'OK', now}
    end

    redis.register_function{function_name = 'bgop_beat', callback = beat, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_source', callback = source, flags = {'allow-oom'}}
end
