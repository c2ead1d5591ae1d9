-- bgop_tick: what time brings: fires what is due, takes back leases nobody renewed, removes what has expired.
--   keys  1 shard prefix
--   args  generation, read_to, budget
--   ->    OK, now, sleep_ms, overdue, v, (Id, token, kind, StartedAt, duration_ms, text, leader Id) x v,
--         (Type, Ids to hint)*
-- read_to: the time up to which the status log is known to be applied: leases are judged up to it only, so that nobody
-- is robbed whose outcome is still unread; `overdue` counts those past their end that had to wait for it. Tick makes
-- no record final: it answers verdicts for the status log (again while they are not applied). Their leader Id is their own
-- when others ran with it, as a worker would write it.
-- sleep_ms: until something is due, -1: nothing is. Open only.
do
    local MAX_LOST = 5

    -- Scheduled -> New, or Waiting when its sequence group or its lane holds it.
    local function come_due(b, rec)
        count_waited(b, 'schedule', b.now - rec.changed)
        local open = not rec.sequence or sequence_is_open(b, rec.sequence, rec.id)
        open = open and (not rec.lane or lane_admit(b, rec.type, rec.lane, rec.id))
        transition(b, rec.type, rec.id, 'Scheduled', open and 'New' or 'Waiting')
        if rec.sequence then return sequence_touch(b, rec.sequence) end
        ready(b, rec.type, rec.id, rec.lane)
    end

    -- Scheduled -> New or Waiting, Error -> Waiting.
    local function fire_due(b, budget)
        local ids = call('ZRANGE', b.prefix .. KEY.DUE, '-inf', b.now_text, 'BYSCORE', 'LIMIT', 0, budget)
        for _, id in ipairs(ids) do
            local rec = record_load(b, id)
            if rec and rec.status == 'Scheduled' then
                come_due(b, rec)
            elseif rec and rec.status == 'Error' then
                count_waited(b, 'retry', b.now - rec.changed)
                wait_again(b, rec)
            else
                call('ZREM', b.prefix .. KEY.DUE, id)
            end
        end
        if ids[1] then flush(b) end
        return #ids
    end

    -- A verdict for the status log; asked for again in a lease's time if it was not applied by then.
    local function verdict(b, verdicts, rec, lease, kind, ended, text)
        local token, started = lease:match('^%S+'), rec.started or b.now
        local at = #verdicts + 1
        verdicts[at + VERDICT.ID], verdicts[at + VERDICT.TOKEN], verdicts[at + VERDICT.KIND] = rec.id, token, kind
        verdicts[at + VERDICT.STARTED_AT] = integer(started)
        verdicts[at + VERDICT.DURATION] = integer(math.max(ended - started, 0))
        verdicts[at + VERDICT.TEXT] = text
        verdicts[at + VERDICT.LEADER_ID] = group_may_lead(b, rec, lease) and rec.id or ''
        call('ZADD', b.prefix .. KEY.RUNNING, 'XX', integer(b.now + b.lease_ms), rec.id)
    end

    -- Nobody renewed it: back to pending, with a new token when it is claimed; final after five of them, or when it
    -- was to be canceled.
    local function lease_lost(b, verdicts, rec, lease, deadline)
        local lost = rec.lost + 1
        if cancel_requested(b, rec.id) then return verdict(b, verdicts, rec, lease, 'lost', deadline, 'lease lost') end
        if lost >= MAX_LOST then
            return verdict(b, verdicts, rec, lease, 'lost', deadline, 'lease lost ' .. lost .. ' times')
        end
        local grouped = execution_ended(b, rec, 'lost', deadline, 'lease lost')
        try_add(b, rec.id, rec.token, rec.worker, rec.started, deadline, 'lease lost')
        if grouped then wait_again(b, rec, 'alone', '1') else wait_again(b, rec, 'lost', lost) end
        count_total(b, 'lost', 1)
    end

    -- Who lives, renews and does not report has timed out; who does not renew is dead, however little time it had.
    local function judge(b, verdicts, id, deadline)
        local lease, rec = call('HGET', b.prefix .. KEY.LEASES, id), record_load(b, id)
        if not lease or not rec or rec.status ~= 'Running' then
            call('HDEL', b.prefix .. KEY.LEASES, id)
            call('ZREM', b.prefix .. KEY.RUNNING, id)
            return
        end
        local backstop, overdue = lease:match('^%S+ (%d+)(!?)')
        if overdue == '' then return lease_lost(b, verdicts, rec, lease, deadline) end
        local timeout = tonumber(rec.timeout or settings_of(b, rec).timeout_ms or 60000)
        verdict(b, verdicts, rec, lease, 'timed_out', tonumber(backstop), 'timed out after ' .. timeout .. ' ms')
    end

    -- Leases that ended up to read_to; none before the floor that opening set. Answers how many, and how many are
    -- overdue but beyond read_to.
    local function judge_leases(b, verdicts, read_to, budget)
        local running, limit, list = b.prefix .. KEY.RUNNING, math.min(read_to, b.now), {}
        if limit >= b.floor then
            list = call('ZRANGE', running, '-inf', integer(limit), 'BYSCORE', 'LIMIT', 0, budget, 'WITHSCORES')
        end
        local judged = 0
        for i = 1, #list, 2 do
            judge(b, verdicts, list[i], tonumber(list[i + 1]))
            judged = judged + 1
            if judged + (b.work or 0) >= budget then break end          -- followers are work too
        end
        if list[1] then flush(b) end
        if b.now < b.floor then return 0, 0 end
        local overdue = call('ZCOUNT', running, '-inf', b.now_text)
        local full = judged + (b.work or 0) >= budget
        return full and budget or judged, limit >= b.floor and full and 0 or overdue
    end

    local function sooner(sleep, ms) return sleep < 0 and ms or math.min(sleep, ms) end

    local function sleep_until(b, expiry_ms)
        local sleep = expiry_ms or -1
        local due = call('ZRANGE', b.prefix .. KEY.DUE, 0, 0, 'WITHSCORES')[2]
        if due then sleep = sooner(sleep, tonumber(due) - b.now) end
        local from = b.now < b.floor and '-inf' or '(' .. b.now_text
        local running = call('ZRANGE', b.prefix .. KEY.RUNNING, from, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
        if running then sleep = sooner(sleep, math.max(tonumber(running), b.floor) - b.now) end
        return sleep < 0 and sleep ~= -1 and 0 or sleep
    end

    local function tick(keys, args)
        local gate, refusal = gate_pass(keys, args, true)
        if not gate then return refusal end
        local read_to, budget = whole(args[TICK.READ_TO]), whole(args[TICK.BUDGET])
        if not read_to then return invalid('read_to: %s', tostring(args[TICK.READ_TO])) end
        if not budget or budget < 1 or budget > MAX_ITEMS then
            return invalid('budget: %s', tostring(args[TICK.BUDGET]))
        end
        local b, verdicts = batch_open(gate), {}
        b.cancels = call('EXISTS', b.prefix .. KEY.CANCELS) == 1
        local fired = fire_due(b, budget)
        local judged, overdue = judge_leases(b, verdicts, read_to, budget)
        local more = sequences_tick(b)
        more = resume_some(b) or more
        local removed, expiry_ms = expire_records(b, budget)
        local sweep_ms = housekeeping(b, removed)
        finish(b)
        local sleep = sleep_until(b, expiry_ms)
        if sweep_ms then sleep = sooner(sleep, sweep_ms) end
        if fired >= budget or judged >= budget or more then sleep = 0 end
        local answer = answer_ok(b.now)
        answer[TICK_ANSWER.SLEEP_MS], answer[TICK_ANSWER.OVERDUE] = sleep, overdue
        answer[TICK_ANSWER.VERDICTS] = #verdicts / VERDICT.SIZE
        for n, value in ipairs(verdicts) do answer[TICK_ANSWER.SIZE + n] = value end
        return batch_answer(b, answer)
    end

    redis.register_function{function_name = 'bgop_tick', callback = tick, flags = {'allow-oom'}}
end
