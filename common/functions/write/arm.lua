-- bgop_arm: closes a shard for claims under a new generation, until its logs were replayed up to the marks.
--   keys  1 shard prefix
--   args  generation, status_mark, m, (partition, next) x m, lease_ms, retry_max_delay_ms, log_days, deleted_log_days,
--         (Type, settings as JSON)*
--   ->    OK, now  |  error STALE <generation> when that one or a higher one is armed
-- bgop_open: opens it again when every fence has reached its mark.
--   args  generation      ->    OK, now  |  WAIT, which mark is not reached
-- From then on a lease time passes before any lease is judged (the floor): workers re-assert what they run.
do
    local function check_type(name, text)
        if name == '' or name:find('[%s:]') then return 'Type: ' .. name end
        local read, settings = pcall(cjson.decode, text)
        if not read or type(settings) ~= 'table' then return 'settings of ' .. name end
        for _, setting in ipairs(NEEDED_SETTINGS) do
            if type(settings[setting]) ~= 'number' or settings[setting] < 0 then return setting .. ' of ' .. name end
        end
    end

    -- Answers why these are wrong, or nil, where the queue's settings begin (ARM_QUEUE), and the marks as one text.
    local function check(args)
        local m, marks, behind_head = whole(args[ARM.MARKS]), {}, ARM.SIZE + 1
        if not whole(args[ARM.GENERATION]) or not whole(args[ARM.STATUS_MARK]) or not m then
            return 'generation, status_mark, m'
        end
        local queue = behind_head + m * MARK.SIZE
        local first = queue + ARM_QUEUE.SIZE
        if #args < first - 1 or (#args - first + 1) % ARM_TYPE.SIZE ~= 0 then return 'settings: incomplete' end
        for i = behind_head, first - 1 do
            if not whole(args[i]) then return 'number: ' .. args[i] end
        end
        for i = behind_head, queue - 1, MARK.SIZE do
            marks[#marks + 1] = args[i + MARK.PARTITION] .. ':' .. args[i + MARK.NEXT]
        end
        for i = first, #args, ARM_TYPE.SIZE do
            local wrong = check_type(args[i + ARM_TYPE.TYPE], args[i + ARM_TYPE.SETTINGS])
            if wrong then return wrong end
        end
        return nil, queue, table.concat(marks, ' ')
    end

    -- The same settings keep their version, others get the next.
    local function types_write(prefix, args, first)
        local types = prefix .. KEY.TYPES
        for i = first, #args, ARM_TYPE.SIZE do
            local type, settings = args[i + ARM_TYPE.TYPE], args[i + ARM_TYPE.SETTINGS]
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
        local wrong, queue, marks = check(args)
        if wrong then return invalid('%s', wrong) end
        local prefix = keys[1]
        local gate = prefix .. KEY.GATE
        local g, generation = call('HMGET', gate, GATE_ARMED.NAMES), args[ARM.GENERATION]
        local armed = g[GATE_ARMED.GENERATION]
        if armed and tonumber(armed) >= tonumber(generation) then return refuse('STALE ' .. armed) end
        local now, _, clock = now_from(g[GATE_ARMED.NOW], g[GATE_ARMED.AHEAD])      -- held: bgop_clock follows
        call('HSET', gate, 'gen', generation, 'run', run_id(), 'mode', 'RECOVERING', 'now', integer(now), 'floor', 0,
             'armed', integer(clock),
             'status_mark', args[ARM.STATUS_MARK], 'submit_marks', marks, 'lease_ms', args[queue + ARM_QUEUE.LEASE_MS],
             'retry_max_delay_ms', args[queue + ARM_QUEUE.RETRY_MAX_DELAY_MS],
             'log_days', args[queue + ARM_QUEUE.LOG_DAYS], 'deleted_log_days', args[queue + ARM_QUEUE.DELETED_LOG_DAYS])
        call('HSETNX', gate, 'rolled', integer(math.floor(now / 60000) - 1))    -- minutes of statistics: expire.lua
        types_write(prefix, args, queue + ARM_QUEUE.SIZE)
        return answer_ok(now)
    end

    -- The first mark that its fence has not reached; nil: all are.
    local function mark_ahead(prefix)
        local marks = call('HMGET', prefix .. KEY.GATE, GATE_MARKS.NAMES)
        local status_mark = marks[GATE_MARKS.STATUS]
        local position = fence_read(call('HGET', prefix .. KEY.FENCES, 't'))
        if tonumber(position) < tonumber(status_mark) then return 'status ' .. position .. ' < ' .. status_mark end
        for partition, mark in marks[GATE_MARKS.SUBMIT]:gmatch('(%d+):(%d+)') do
            position = fence_read(call('HGET', prefix .. KEY.FENCES, 's' .. partition))
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
            if ahead then return {[OPEN_WAIT.SAYS] = 'WAIT', [OPEN_WAIT.AHEAD] = ahead} end
            call('HSET', gate.prefix .. KEY.GATE, 'mode', 'OPEN', 'now', integer(gate.now), 'floor',
                 integer(gate.now + gate.lease_ms))
        end
        return answer_ok(gate.now)
    end

    redis.register_function{function_name = 'bgop_arm', callback = arm, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_open', callback = open, flags = {'allow-oom'}}
end
