-- Actions: one thing done to many operations, as a record that coordinators work off. They keep no operation's state: each
-- command goes through Kafka as everybody's does, and carries the action's name as its command id. So nothing is decided
-- by these records either, and the gate is only asked whether there is a queue. All of them are in shard 0.
--   bgop_action_create     asked for by a person; the same name again changes nothing
--     keys  bgop:{0}
--     args  action, kind (cancel, redrive, pause, resume), where, Type, ParentKey, reason, who, rate, (Ids joined by blanks)*
--     ->    OK, now, state  |  WAIT: nothing was ever armed here
--   bgop_action_take       a coordinator: which are mine to run? Takes those that nobody has, or whose owner is late
--     args  instance, state (runs, left)
--     ->    OK, now, (action, fence)*  |  WAIT
--   bgop_action_found      its owner: these Ids meet its condition, from which on (0: the first), are they the last?
--     args  action, instance, fence, from, last (0, 1), Ids
--   bgop_action_step       its owner: so many of those from the cursor on are settled
--     args  action, instance, fence, from, done, skipped, failed, (Id, why)* of failed ones
--   bgop_action_fail       its owner: it cannot go on
--     args  action, instance, fence, error
--   bgop_action_abort      a person: no further step
--     args  action, who, reason
--     ->    OK, now, state  |  WAIT  |  MISSING: no such action     errors  STALE: it has another owner, or stands elsewhere
-- A step that was sent when the action ended is counted all the same: what was done was done.
-- What belongs together is one HSET: a Redis that lost power may come back with half of a call (deploy/RELIABILITY.md). So a
-- new action's hash is written last, and what is left behind by one that has ended goes when it is met.
do
    local KEPT_MS = ACTION_BOUND.KEPT_DAYS * 86400000

    local function there(keys) return call('HEXISTS', keys[1] .. KEY.GATE, 'gen') == 1 end

    -- What every one of them begins with; answers the time, or nil and what is to be answered.
    local function enter(keys, args, size)
        call, numbers = redis.call, {}
        if #keys ~= 1 or keys[1] ~= 'bgop:{0}' then return nil, invalid('one key expected: bgop:{0}') end
        if #args < size then return nil, invalid('%d arguments expected, got %d', size, #args) end
        if not there(keys) then return nil, {'WAIT'} end
        return clock_ms()
    end

    local function answer(now, state)
        return {[ACTION_ANSWER.SAYS] = 'OK', [ACTION_ANSWER.NOW] = now, [ACTION_ANSWER.STATE] = state}
    end

    local function state_of(key) return call('HMGET', key, ACTION_STATE.NAMES) end

    -- ---- creating ----

    local function ids_count(text)
        local count = (#text + 1) / (ID_SIZE + 1)
        if count < 1 or count > ACTION_BOUND.CHUNK or count ~= math.floor(count) then return nil end
        return text:find('^[%w ]+$') and count
    end

    -- nil, or what is wrong; and how many Ids are given.
    local function check_ids(args)
        local chunks, count = #args - ACTION_CREATE.SIZE, 0
        for i = 1, chunks do
            local of = ids_count(args[ACTION_CREATE.SIZE + i])
            if not of or of < ACTION_BOUND.CHUNK and i < chunks then return 'Ids: 500 in each but the last' end
            count = count + of
        end
        if count > ACTION_BOUND.IDS then return 'Ids: more than ' .. ACTION_BOUND.IDS end
        return nil, count
    end

    local function check_create(args)
        local operations = ACTION_KINDS[args[ACTION_CREATE.KIND]]
        if not args[ACTION_CREATE.ACTION]:find('^act%w+$') or #args[ACTION_CREATE.ACTION] > 40 then return 'action' end
        if operations == nil then return 'kind: ' .. args[ACTION_CREATE.KIND] end
        local wrong, ids = check_ids(args)
        if wrong then return wrong end
        local given = 0
        for _, i in ipairs({ACTION_CREATE.WHERE, ACTION_CREATE.TYPE, ACTION_CREATE.PARENT_KEY}) do
            if args[i] ~= '' then given = given + 1 end
        end
        if ids > 0 then given = given + 1 end
        local selects = args[ACTION_CREATE.WHERE] ~= '' or ids > 0
        if given ~= 1 or selects ~= operations then
            return 'cancel and redrive take where or Ids, pause and resume a Type or a ParentKey'
        end
        if #args[ACTION_CREATE.WHERE] > ACTION_BOUND.WHERE then return 'where: too long' end
        for _, i in ipairs({ACTION_CREATE.TYPE, ACTION_CREATE.PARENT_KEY, ACTION_CREATE.REASON}) do
            if #args[i] > ACTION_BOUND.TEXT then return 'a text is too long' end
        end
        if #args[ACTION_CREATE.WHO] > ACTION_BOUND.WHO then return 'who: too long' end
        local rate = args[ACTION_CREATE.RATE] == '' and 1 or whole(args[ACTION_CREATE.RATE])
        if not rate or rate < 1 or rate > ACTION_BOUND.RATE then return 'rate' end
        return nil, ids
    end

    local function forget(prefix, actions)
        for _, action in ipairs(actions) do
            if not call('ZSCORE', prefix .. KEY.ACTIONS_RUNNING, action) then
                call('ZREM', prefix .. KEY.ACTIONS, action)
                call('DEL', prefix .. KEY.ACTION .. action)
            end
        end
    end

    -- Those beyond the newest that are kept, and those that are too old: a hundred of each at a time.
    local function forget_old(prefix, now)
        local actions = prefix .. KEY.ACTIONS
        local beyond = call('ZCARD', actions) - ACTION_BOUND.KEPT
        if beyond > 0 then forget(prefix, call('ZRANGE', actions, 0, math.min(beyond, 100) - 1)) end
        forget(prefix, call('ZRANGE', actions, '-inf', integer(now - KEPT_MS), 'BYSCORE', 'LIMIT', 0, 100))
    end

    local function write_ids(prefix, args)
        local key = prefix .. KEY.ACTION_IDS .. args[ACTION_CREATE.ACTION]
        for i = ACTION_CREATE.SIZE + 1, #args do
            call('HSET', key, (i - ACTION_CREATE.SIZE - 1) * ACTION_BOUND.CHUNK, args[i])
        end
    end

    local GIVEN = {{'kind', ACTION_CREATE.KIND}, {'where', ACTION_CREATE.WHERE}, {'type', ACTION_CREATE.TYPE},
                   {'parent', ACTION_CREATE.PARENT_KEY}, {'reason', ACTION_CREATE.REASON}, {'who', ACTION_CREATE.WHO},
                   {'rate', ACTION_CREATE.RATE}}

    -- How many it is about is known at once, but for a condition.
    local function write_action(prefix, args, ids, now_text)
        local fields = {'state', 'Running', 'started', now_text, 'cursor', '0', 'done', '0', 'skipped', '0', 'failed', '0'}
        for n = 1, #GIVEN do
            local value = args[GIVEN[n][2]]
            if value ~= '' then fields[#fields + 1], fields[#fields + 2] = GIVEN[n][1], value end
        end
        if args[ACTION_CREATE.WHERE] == '' then
            fields[#fields + 1], fields[#fields + 2] = 'matching', ids > 0 and ids or 1
        end
        if ids > 0 then fields[#fields + 1], fields[#fields + 2] = 'ids', ids end
        call('HSET', prefix .. KEY.ACTION .. args[ACTION_CREATE.ACTION], unpack(fields))
    end

    local function create(keys, args)
        local now, refused = enter(keys, args, ACTION_CREATE.SIZE)
        if not now then return refused end
        local wrong, ids = check_create(args)
        if wrong then return invalid('%s', wrong) end
        local prefix, action = keys[1], args[ACTION_CREATE.ACTION]
        local known = call('HGET', prefix .. KEY.ACTION .. action, 'state')
        if known then return answer(now, known) end
        if call('ZCARD', prefix .. KEY.ACTIONS_RUNNING) >= ACTION_BOUND.RUNNING then
            return invalid('%d actions go on already: wait for one, or abort one', ACTION_BOUND.RUNNING)
        end
        forget_old(prefix, now)
        write_ids(prefix, args)
        call('ZADD', prefix .. KEY.ACTIONS, integer(now), action)
        call('ZADD', prefix .. KEY.ACTIONS_RUNNING, integer(now), action)
        write_action(prefix, args, ids, integer(now))
        return answer(now, 'Running')
    end

    -- ---- running ----

    -- Nothing of it is to be run any more.
    local function let_go(prefix, action)
        call('ZREM', prefix .. KEY.ACTIONS_RUNNING, action)
        call('DEL', prefix .. KEY.ACTION_IDS .. action)
    end

    local function leave(prefix, instance)
        for _, action in ipairs(call('ZRANGE', prefix .. KEY.ACTIONS_RUNNING, 0, -1)) do
            local key = prefix .. KEY.ACTION .. action
            if state_of(key)[ACTION_STATE.OWNER] == instance then call('HSET', key, 'until', '0') end
        end
    end

    -- Pauses and resumes of one thing go one after the other, in the order in which they were asked for: a resume that
    -- overtook the pause before it would leave the thing paused. Does one stand before this?
    local function waits_its_turn(key, before)
        local f = call('HMGET', key, 'kind', 'type', 'parent')
        if ACTION_KINDS[f[1]] ~= false then return false end
        local what = f[2] and 'T:' .. f[2] or 'P:' .. f[3]
        local waits = before[what]
        before[what] = true
        return waits
    end

    -- One that is taken over gets a higher fence: what its owner before still says of it counts no more.
    local function take_one(prefix, action, instance, now, before)
        local key = prefix .. KEY.ACTION .. action
        local f = state_of(key)
        if f[ACTION_STATE.STATE] ~= 'Running' then return let_go(prefix, action) end
        if waits_its_turn(key, before) then return nil end
        local fence, till = tonumber(f[ACTION_STATE.FENCE] or 0), tonumber(f[ACTION_STATE.UNTIL] or 0)
        local mine = f[ACTION_STATE.OWNER] == instance
        if not mine and till > now then return nil end
        if not mine then fence = fence + 1 end
        if mine and till - now > ACTION_BOUND.LEASE_MS / 2 then return fence end
        call('HSET', key, 'owner', instance, 'fence', fence, 'until', integer(now + ACTION_BOUND.LEASE_MS))
        return fence
    end

    local function take(keys, args)
        local now, refused = enter(keys, args, ACTION_TAKE.SIZE)
        if not now then return refused end
        local prefix, instance, taken = keys[1], args[ACTION_TAKE.INSTANCE], answer_ok(now)
        if instance == '' then return invalid('instance') end
        if args[ACTION_TAKE.STATE] == 'left' then
            leave(prefix, instance)
            return taken
        end
        local before = {}
        for _, action in ipairs(call('ZRANGE', prefix .. KEY.ACTIONS_RUNNING, 0, -1)) do
            local fence, at = take_one(prefix, action, instance, now, before), #taken + 1
            if fence then taken[at + ACTION_TAKEN.ACTION], taken[at + ACTION_TAKEN.FENCE] = action, integer(fence) end
        end
        return taken
    end

    -- The action of a call of its owner: its key and fields, or nil and what is to be answered.
    local function owned(keys, args)
        local key = keys[1] .. KEY.ACTION .. args[ACTION_OWNED.ACTION]
        local f = state_of(key)
        if not f[ACTION_STATE.STATE] then return nil, {'MISSING'} end
        if f[ACTION_STATE.OWNER] ~= args[ACTION_OWNED.INSTANCE] or f[ACTION_STATE.FENCE] ~= args[ACTION_OWNED.FENCE] then
            return nil, refuse('STALE it is run by ' .. (f[ACTION_STATE.OWNER] or 'nobody'))
        end
        return key, f
    end

    -- Writes these fields of it, and with them that it has ended.
    local function finish_action(prefix, action, now, state, fields)
        local n = #fields
        fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = 'state', state, 'finished', integer(now)
        call('HSET', prefix .. KEY.ACTION .. action, unpack(fields))
        let_go(prefix, action)
        call('HINCRBY', prefix .. KEY.COUNTS, 'actions_' .. state, 1)
        return answer(now, state)
    end

    local function found(keys, args)
        local now, refused = enter(keys, args, ACTION_FOUND.SIZE)
        if not now then return refused end
        local from, ids, last = whole(args[ACTION_FOUND.FROM]), args[ACTION_FOUND.IDS], args[ACTION_FOUND.LAST] == '1'
        local count = ids == '' and 0 or ids_count(ids)
        if not from or from % ACTION_BOUND.CHUNK ~= 0 then return invalid('from') end
        if not count or count < ACTION_BOUND.CHUNK and not last then return invalid('Ids') end
        local key, f = owned(keys, args)
        if not key then return f end
        local action = args[ACTION_FOUND.ACTION]
        if f[ACTION_STATE.STATE] ~= 'Running' then return answer(now, f[ACTION_STATE.STATE]) end
        if f[ACTION_STATE.MATCHING] or from > 0 and tonumber(f[ACTION_STATE.FOUND] or 0) ~= from then
            return refuse('STALE ' .. (f[ACTION_STATE.FOUND] or 0) .. ' were found')
        end
        if from == 0 then call('DEL', keys[1] .. KEY.ACTION_IDS .. action) end
        if count > 0 then call('HSET', keys[1] .. KEY.ACTION_IDS .. action, from, ids) end
        local fields = {'found', from + count, 'until', integer(now + ACTION_BOUND.LEASE_MS)}
        if last then fields[5], fields[6] = 'matching', from + count end
        if last and from + count == 0 then return finish_action(keys[1], action, now, 'Complete', fields) end
        call('HSET', key, unpack(fields))
        return answer(now, 'Running')
    end

    local function one_line(text) return (text:gsub('%c', ' ')) end

    -- The lines of the first failures, those of this step behind those that are known; nil: there are none.
    local function failure_lines(known, args)
        local lines = {}
        for line in (known or ''):gmatch('[^\n]+') do lines[#lines + 1] = line end
        for i = ACTION_STEP.SIZE + 1, #args, ACTION_FAILURE.SIZE do
            if #lines >= ACTION_BOUND.FAILURES then break end
            lines[#lines + 1] = args[i + ACTION_FAILURE.ID] .. ' ' .. one_line(args[i + ACTION_FAILURE.TEXT]):sub(1, 600)
        end
        return lines[1] and table.concat(lines, '\n')
    end

    local function step_fields(f, args, cursor, now)
        local fields = {'cursor', cursor, 'until', integer(now + ACTION_BOUND.LEASE_MS),
                        'done', f[ACTION_STATE.DONE] + args[ACTION_STEP.DONE],
                        'skipped', f[ACTION_STATE.SKIPPED] + args[ACTION_STEP.SKIPPED],
                        'failed', f[ACTION_STATE.FAILED] + args[ACTION_STEP.FAILED]}
        local lines = failure_lines(f[ACTION_STATE.FAILURES], args)
        if lines then fields[#fields + 1], fields[#fields + 2] = 'failures', lines end
        return fields
    end

    -- Counts, cursor and what is left of the Ids move together; a step ends where a chunk of Ids does, or before.
    local function step(keys, args)
        local now, refused = enter(keys, args, ACTION_STEP.SIZE)
        if not now then return refused end
        local from, done = whole(args[ACTION_STEP.FROM]), whole(args[ACTION_STEP.DONE])
        local skipped, failed = whole(args[ACTION_STEP.SKIPPED]), whole(args[ACTION_STEP.FAILED])
        if not (from and done and skipped and failed) then return invalid('numbers') end
        local settled = done + skipped + failed
        local chunk = from - from % ACTION_BOUND.CHUNK
        if from + settled > chunk + ACTION_BOUND.CHUNK then return invalid('more than there are in a chunk') end
        if (#args - ACTION_STEP.SIZE) % ACTION_FAILURE.SIZE ~= 0 then return invalid('failures: incomplete') end
        local key, f = owned(keys, args)
        if not key then return f end
        local matching = tonumber(f[ACTION_STATE.MATCHING] or nil)
        if tonumber(f[ACTION_STATE.CURSOR]) ~= from then return refuse('STALE its cursor is ' .. f[ACTION_STATE.CURSOR]) end
        if not matching or from + settled > matching then return invalid('more than there are') end
        local fields, runs = step_fields(f, args, from + settled, now), f[ACTION_STATE.STATE] == 'Running'
        if runs and from + settled == matching then
            return finish_action(keys[1], args[ACTION_STEP.ACTION], now, 'Complete', fields)
        end
        call('HSET', key, unpack(fields))
        if not runs then return answer(now, f[ACTION_STATE.STATE]) end
        if from + settled == chunk + ACTION_BOUND.CHUNK then
            call('HDEL', keys[1] .. KEY.ACTION_IDS .. args[ACTION_STEP.ACTION], chunk)
        end
        return answer(now, 'Running')
    end

    local function fail_action(keys, args)
        local now, refused = enter(keys, args, ACTION_FAIL.SIZE)
        if not now then return refused end
        local key, f = owned(keys, args)
        if not key then return f end
        if f[ACTION_STATE.STATE] ~= 'Running' then return answer(now, f[ACTION_STATE.STATE]) end
        return finish_action(keys[1], args[ACTION_FAIL.ACTION], now, 'Error',
                             {'error', one_line(args[ACTION_FAIL.TEXT]):sub(1, 2000)})
    end

    local function abort(keys, args)
        local now, refused = enter(keys, args, ACTION_ABORT.SIZE)
        if not now then return refused end
        local action, why = args[ACTION_ABORT.ACTION], args[ACTION_ABORT.REASON]
        local state = call('HGET', keys[1] .. KEY.ACTION .. action, 'state')
        if not state then return {'MISSING'} end
        if state ~= 'Running' then return answer(now, state) end
        local text = 'aborted by ' .. args[ACTION_ABORT.WHO] .. (why ~= '' and ': ' .. why or '')
        return finish_action(keys[1], action, now, 'Aborted', {'error', one_line(text):sub(1, 2000)})
    end

    redis.register_function{function_name = 'bgop_action_create', callback = create}
    redis.register_function{function_name = 'bgop_action_take', callback = take, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_action_found', callback = found}
    redis.register_function{function_name = 'bgop_action_step', callback = step, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_action_fail', callback = fail_action, flags = {'allow-oom'}}
    redis.register_function{function_name = 'bgop_action_abort', callback = abort, flags = {'allow-oom'}}
end
