-- bgop_arm: closes a shard for claims under a new generation, until its logs were replayed up to the marks.
--   keys  1 shard prefix
--   args  generation, status_mark, m, (partition, next) x m, lease_ms, retry_max_delay_ms, log_days, deleted_log_days,
--         (Type, settings as JSON)*
--   ->    OK, now  |  error STALE <generation> when that one or a higher one is armed
-- bgop_open: opens it again when every fence has reached its mark.
--   args  generation      ->    OK, now  |  WAIT, which mark is not reached
-- From then on a lease time passes before any lease is judged (the floor): workers re-assert what they run.
do
    local SETTINGS = {'retry_backoff_ms', 'retry_limit', 'timeout_ms', 'retention_s', 'retention_error_s'}

    local function check_type(name, text)
        if name == '' or name:find('[%s:]') then return 'Type: ' .. name end
        local read, settings = pcall(cjson.decode, text)
        if not read or type(settings) ~= 'table' then return 'settings of ' .. name end
        for _, setting in ipairs(SETTINGS) do
            if type(settings[setting]) ~= 'number' or settings[setting] < 0 then return setting .. ' of ' .. name end
        end
    end

    -- Answers why these are wrong, or nil, where the marks end, and the marks as one text.
    local function check(args)
        local m, marks = whole(args[3]), {}
        if not whole(args[1]) or not whole(args[2]) or not m then return 'generation, status_mark, m' end
        local first = 4 + m * 2
        if #args < first + 3 or (#args - first - 3) % 2 ~= 0 then return 'settings: incomplete' end
        for i = 4, first + 3 do
            if not whole(args[i]) then return 'number: ' .. args[i] end
        end
        for i = 4, first - 1, 2 do marks[#marks + 1] = args[i] .. ':' .. args[i + 1] end
        for i = first + 4, #args, 2 do
            local wrong = check_type(args[i], args[i + 1])
            if wrong then return wrong end
        end
        return nil, first, table.concat(marks, ' ')
    end

    -- The same settings keep their version, others get the next.
    local function types_write(prefix, args, first)
        local types = prefix .. ':types'
        for i = first, #args, 2 do
            local type, settings = args[i], args[i + 1]
            local version = call('HGET', types, type)
            if not version or call('HGET', types, type .. ':' .. version) ~= settings then
                version = integer((version or 0) + 1)
                call('HSET', types, type, version, type .. ':' .. version, settings)
            end
        end
        types_forget(prefix)
    end

    local function arm(keys, args)
        call = redis.call
        if #keys ~= 1 then return invalid('one key expected: bgop:{<shard>}') end
        local wrong, first, marks = check(args)
        if wrong then return invalid('%s', wrong) end
        local prefix = keys[1]
        local gate = prefix .. ':gate'
        local g = call('HMGET', gate, 'gen', 'now')
        if g[1] and tonumber(g[1]) >= tonumber(args[1]) then return refuse('STALE ' .. g[1]) end
        local now = now_from(g[2])
        call('HSET', gate, 'gen', args[1], 'run', run_id(), 'mode', 'RECOVERING', 'now', integer(now), 'floor', 0,
             'status_mark', args[2], 'submit_marks', marks, 'lease_ms', args[first],
             'retry_max_delay_ms', args[first + 1], 'log_days', args[first + 2], 'deleted_log_days', args[first + 3])
        call('HSETNX', gate, 'rolled', integer(math.floor(now / 60000) - 1))    -- minutes of statistics: expire.lua
        types_write(prefix, args, first + 4)
        return {'OK', now}
    end

    -- The first mark that its fence has not reached; nil: all are.
    local function mark_ahead(prefix)
        local marks = call('HMGET', prefix .. ':gate', 'status_mark', 'submit_marks')
        local position = fence_read(call('HGET', prefix .. ':fences', 't'))
        if tonumber(position) < tonumber(marks[1]) then return 'status ' .. position .. ' < ' .. marks[1] end
        for partition, mark in marks[2]:gmatch('(%d+):(%d+)') do
            position = fence_read(call('HGET', prefix .. ':fences', 's' .. partition))
            if tonumber(position) < tonumber(mark) then
                return 'submit partition ' .. partition .. ' ' .. position .. ' < ' .. mark
            end
        end
    end

    local function open(keys, args)
        local gate, refusal = gate_pass(keys, args, false)
        if not gate then return refusal end
        if gate.mode ~= 'OPEN' then
            local ahead = mark_ahead(gate.prefix)
            if ahead then return {'WAIT', ahead} end
            call('HSET', gate.prefix .. ':gate', 'mode', 'OPEN', 'now', integer(gate.now), 'floor',
                 integer(gate.now + gate.lease_ms))
        end
        return {'OK', gate.now}
    end

    redis.register_function{function_name = 'bgop_arm', callback = arm, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_open', callback = open, flags = {'allow-oom'}}
end
