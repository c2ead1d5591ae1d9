-- What one entry of the status log (an outcome, a verdict, a command) does to its operation: tokens decide (README.md).
-- An entry is texts in a list, e[i + ENTRY.KIND] and so on: kind, Id, token, StartedAt, duration_ms, WorkerUri, text,
-- retry_after_ms, result, leader Id, command id. The same for entries that were parked. A pause: kind, no Id, ...,
-- ParentKey or Type (PAUSE).
-- Every outcome. failed: an attempt that failed, and what Error says when the outcome does not. final: no retry comes,
-- whatever is left. shared: need not be the member's own doing when others ran with it. again: it did not really run.
local OUTCOMES = {
    ok = {},
    error = {failed = 'failed'},
    permanent = {failed = 'failed for good', final = true},
    crashed = {failed = 'crashed', shared = true},
    timed_out = {failed = 'timed out', shared = true},
    lost = {failed = 'lease lost', shared = true, final = true},
    unanswered = {failed = 'failed with others', shared = true},
    skipped = {again = true},
    returned = {again = true},
}
local COMMANDS = {cancel = true, redrive = true}
local PAUSES = {pause = true, resume = true}       -- of a Type or of a ParentKey
local entry_apply, execution_ended, attempt_forgotten
do
    local MAX_CRASHES, MAX_COMMANDS, REDRIVE_LIMIT = 3, 20, 10
    -- An attempt failed: canceled when that was asked for, final, or retried by the law. grouped: others ran with it. What
    -- may be the fault of one of them ends nobody: it runs alone then.
    local function fail(b, rec, kind, finished, text, retry_after, grouped)
        if kind == 'lost' then count_total(b, 'lost', 1) end
        local reason = cancel_requested(b, rec.id)
        if reason then return end_canceled(b, rec, reason) end
        local shared = grouped and OUTCOMES[kind].shared
        if shared and kind == 'lost' then return wait_again(b, rec, 'alone', '1') end
        local crashes = kind == 'crashed' and not shared and rec.crashes + 1 or 0
        if crashes > 0 then
            call('HSET', b.ops .. rec.id, 'crashes', crashes)
        elseif rec.crashes > 0 then
            call('HDEL', b.ops .. rec.id, 'crashes')
        end
        if shared and kind == 'crashed' then call('HSET', b.ops .. rec.id, 'alone', '1') end
        local settings, k = settings_of(b, rec), rec.retries + 1
        local limit = tonumber(rec.limit or settings.retry_limit or 0)
        if shared and k > limit then return wait_again(b, rec, 'alone', '1') end
        if OUTCOMES[kind].final or crashes >= MAX_CRASHES or k > limit then
            return end_error(b, rec, finished, text)
        end
        count_total(b, 'retried', 1)
        local delay = retry_delay_ms(k, tonumber(rec.backoff or settings.retry_backoff_ms or 0), b.retry_max_delay_ms)
        if retry_after then delay = math.min(retry_after, b.retry_max_delay_ms) end
        if delay <= 0 then return wait_again(b, rec, 'RetryCount', k) end
        wait_retry(b, rec, k, finished, finished + delay, text)
    end

    -- It did not really run: nothing is counted.
    local function put_back(b, rec)
        local reason = cancel_requested(b, rec.id)
        if reason then return end_canceled(b, rec, reason) end
        wait_again(b, rec)
    end

    -- A follower whose leader's execution ended without a word of it: what ended the leader from outside ended it too.
    local function unanswered(b, rec, ended)
        group_leave(b, rec)
        if not OUTCOMES[ended.kind].shared or ended.kind == 'unanswered' then return put_back(b, rec) end
        try_add(b, rec.id, rec.token, rec.worker, rec.started, ended.finished, ended.text)
        fail(b, rec, ended.kind, ended.finished, ended.text, nil, true)
    end

    -- The execution of this leader is over (nothing, when it is none); answers whether it had followers.
    function execution_ended(b, rec, kind, finished, text)
        local grouped = group_end(b, rec, {complete = kind == 'ok', kind = kind, finished = finished, text = text,
                                           unanswered = unanswered})
        b.touched[rec.id] = b.writes        -- for its followers something may have been written meanwhile
        return grouped
    end

    -- The attempt of this outcome is over. rec.status may be another than Running: a follower, a late success, or an
    -- attempt that Redis forgot and that was adopted.
    local function attempt_ended(b, rec, e, i)
        local kind, result = e[i + ENTRY.KIND], e[i + ENTRY.RESULT]
        local started, duration = whole(e[i + ENTRY.STARTED_AT]) or rec.started, whole(e[i + ENTRY.DURATION])
        local follower, finished = rec.status == 'Merged' and rec.leader, b.now
        if started and duration then finished = math.min(started + duration, b.now) end
        if kind == 'ok' and follower then
            if duration then stat_time(b, 'r', duration) end
            return group_succeeded(b, rec, finished, result)
        end
        local text, worker = e[i + ENTRY.TEXT], e[i + ENTRY.WORKER_URI]
        text = error_cut(text ~= '' and text or OUTCOMES[kind].failed or '')
        if follower then group_leave(b, rec) end
        local grouped = execution_ended(b, rec, kind, finished, text) or follower or e[i + ENTRY.LEADER_ID] ~= ''
        if OUTCOMES[kind].again then return put_back(b, rec) end
        if duration then stat_time(b, 'r', duration) end
        if kind == 'ok' then
            if rec.status ~= 'Running' then call('HDEL', b.ops .. rec.id, 'Error', 'reason') end
            end_complete(b, rec.type, rec.id, rec.status, finished,
                         rec.large and 'L' or rec.payload and 'p' or '-', result)
            lane_left(b, rec)
            return sequence_moved(b, rec, 'Complete')
        end
        try_add(b, rec.id, tonumber(e[i + ENTRY.TOKEN]), worker ~= '' and worker or rec.worker, started, finished, text)
        fail(b, rec, kind, finished, text, whole(e[i + ENTRY.RETRY_AFTER]), grouped)
    end

    -- A newer attempt is known of: what the record says of the one before is over.
    function attempt_forgotten(b, rec)
        if rec.status == 'Merged' and rec.leader then group_leave(b, rec) end
        execution_ended(b, rec, 'returned', b.now, '')
    end

    -- Redis went backwards and forgot this attempt: what its outcome says of it becomes the record's own.
    local function adopt(b, rec, e, i)
        local token, started, worker = e[i + ENTRY.TOKEN], whole(e[i + ENTRY.STARTED_AT]), e[i + ENTRY.WORKER_URI]
        attempt_forgotten(b, rec)
        local fields = {'token', token}
        if started then fields[3], fields[4], rec.started = 'StartedAt', integer(started), started end
        if worker ~= '' then fields[#fields + 1], fields[#fields + 2], rec.worker = 'WorkerUri', worker, worker end
        call('HSET', b.ops .. rec.id, unpack(fields))
        rec.token = tonumber(token)
        count_total(b, 'adopted', 1)
    end

    -- An outcome for a record that is final. A higher token is kept in every state, so that it is never given again;
    -- with it a success beats Error and Canceled, a failure goes on from Error by the law, nothing undoes Complete.
    local function outcome_of_final(b, rec, e, i, token)
        local kind, complete = e[i + ENTRY.KIND], rec.status == 'Complete' or rec.status == 'Merged'
        if complete and kind == 'ok' and token ~= rec.token then count_total(b, 'dup_exec', 1) end
        if token <= rec.token then return count_total(b, token == rec.token and 'repeated' or 'superseded', 1) end
        if complete then
            call('HSET', b.ops .. rec.id, 'token', e[i + ENTRY.TOKEN])
            return count_total(b, 'adopted', 1)
        end
        adopt(b, rec, e, i)
        if kind == 'ok' or rec.status == 'Error' and OUTCOMES[kind].failed then return attempt_ended(b, rec, e, i) end
        edited(b, rec.id, rec.status)
    end

    local function outcome(b, rec, e, i)
        local token = tonumber(e[i + ENTRY.TOKEN])
        if token == 0 then return count_total(b, 'superseded', 1) end       -- of no attempt
        if is_final(b, rec) then return outcome_of_final(b, rec, e, i, token) end
        if token < rec.token then return count_total(b, 'superseded', 1) end
        if token > rec.token then
            adopt(b, rec, e, i)
        elseif not is_running(rec) and e[i + ENTRY.KIND] ~= 'ok' then
            return count_total(b, 'late', 1)        -- its lease was taken back: already counted
        end
        attempt_ended(b, rec, e, i)
    end

    -- Kept on the record's history: a command that had an effect.
    local function command_note(b, rec, e, i)
        local list = b.prefix .. KEY.COMMANDS .. rec.id
        local note = string.format('{"command":"%s","at":%s,"reason":%s,"commandId":%s}', e[i + ENTRY.KIND],
                                   b.now_text, text_json(error_cut(e[i + ENTRY.TEXT])),
                                   text_json(e[i + ENTRY.COMMAND_ID]))
        if call('RPUSH', list, note) > MAX_COMMANDS then call('LTRIM', list, -MAX_COMMANDS, -1) end
        call('HSET', b.ops .. rec.id, 'commands', '1')
    end

    -- Not running: canceled at once. Running (or known to have been, by the token the command saw): asked for; the
    -- worker hears of it when it renews, and the first terminal outcome wins. Final: stays, unless it holds a sequence
    -- group; that is let go.
    local function cancel(b, rec, e, i)
        local token, reason = tonumber(e[i + ENTRY.TOKEN]), error_cut(e[i + ENTRY.TEXT])
        if is_final(b, rec) then
            if not sequence_is_held_by(b, rec) or token < rec.token then return end
            command_note(b, rec, e, i)
            return end_canceled(b, rec, reason)
        end
        command_note(b, rec, e, i)
        if token > rec.token then
            attempt_forgotten(b, rec)
            run_again(b, rec, e[i + ENTRY.TOKEN], b.now, rec.worker, '-')
        elseif not is_running(rec) then
            return end_canceled(b, rec, reason)
        end
        call('HSET', b.prefix .. KEY.CANCELS, rec.id, reason)
        b.cancels = true
    end

    -- An Error that is final gets its retries back, so often. The token it saw: a command that was read twice acts once.
    local function redrive(b, rec, e, i)
        if rec.status ~= 'Error' or tonumber(e[i + ENTRY.TOKEN]) < rec.token or not is_final(b, rec) then return end
        local settings = b.types.current[rec.type] or {}
        local redrives = tonumber(call('HGET', b.ops .. rec.id, 'redrives') or 0)
        if redrives >= (settings.redrive_limit or REDRIVE_LIMIT) then return count_total(b, 'redrive_refused', 1) end
        command_note(b, rec, e, i)
        call('HDEL', b.ops .. rec.id, 'RetryCount', 'lost', 'crashes', 'alone')
        wait_again(b, rec, 'redrives', redrives + 1)
        count_total(b, 'redriven', 1)
    end

    function entry_apply(b, e, i)
        local id, kind = e[i + ENTRY.ID], e[i + ENTRY.KIND]
        if PAUSES[kind] then
            return pause_apply(b, kind, e[i + PAUSE.TYPE], e[i + PAUSE.PARENT_KEY], error_cut(e[i + PAUSE.REASON]))
        end
        op_touch(b, id)
        local rec = record_load(b, id)
        if not rec then return park_add(b, id, {unpack(e, i, i + ENTRY.SIZE - 1)}) end
        if kind == 'cancel' then return cancel(b, rec, e, i) end
        if kind == 'redrive' then return redrive(b, rec, e, i) end
        outcome(b, rec, e, i)
    end
end
