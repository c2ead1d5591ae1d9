-- What becomes of an operation, beside the record: it ends, waits or runs again, and its sequence group, its lane and a
-- pause hear of it.
local end_complete, end_error, end_canceled, wait_again, wait_retry, run_again
do
    -- Of one that led followers which completed without it: it is not removed before them.
    local function retention_of_leader(b, rec, status)
        local retention = retention_of(b, rec.type, status)
        if not rec.led then return retention end
        return math.max(retention, (b.types.current[rec.type] or {}).retention_s or 86400)
    end

    -- Failure and end of the attempt before, where the next status does not have them.
    local function clear_failure(b, rec)
        if rec.status == 'Error' then
            call('HDEL', b.ops .. rec.id, 'Error', 'FinishedAt', 'ExpiresAt')
        elseif rec.expires then
            call('HDEL', b.ops .. rec.id, 'FinishedAt', 'ExpiresAt')
        end
    end

    function end_complete(b, type, id, from, finished, payload, result)
        local retention = retention_of(b, type, 'Complete')
        local finished_at, expires_at = time_text(b, finished), time_text(b, finished + retention * 1000)
        if payload == 'p' then
            transition(b, type, id, from, 'Complete', 'FinishedAt', finished_at, 'ExpiresAt', expires_at, 'in', '')
        else
            transition(b, type, id, from, 'Complete', 'FinishedAt', finished_at, 'ExpiresAt', expires_at)
            if payload == 'L' then b.unneeded[#b.unneeded + 1] = b.prefix .. KEY.IN .. id end
        end
        if result and result ~= '' then call('SET', b.prefix .. KEY.OUT .. id, result) end
        cancel_remove(b, id)
        done_add(b, retention, id)
        count_total(b, 'finished', 1)
    end

    function end_error(b, rec, finished, text, ...)
        local retention = retention_of_leader(b, rec, 'Error')
        transition(b, rec.type, rec.id, rec.status, 'Error', 'FinishedAt', integer(finished), 'Error', text,
                   'ExpiresAt', integer(finished + retention * 1000), ...)
        b.errors_add[#b.errors_add + 1] = integer(finished)
        b.errors_add[#b.errors_add + 1] = rec.id
        cancel_remove(b, rec.id)
        done_add(b, retention, rec.id)
        count_total(b, 'failed', 1)
        lane_left(b, rec)
        sequence_failed(b, rec)
    end

    function end_canceled(b, rec, reason)
        local retention = retention_of_leader(b, rec, 'Canceled')
        local expires_at = integer(b.now + retention * 1000)
        clear_failure(b, rec)
        if reason ~= '' then
            transition(b, rec.type, rec.id, rec.status, 'Canceled', 'ExpiresAt', expires_at, 'reason', reason)
        else
            transition(b, rec.type, rec.id, rec.status, 'Canceled', 'ExpiresAt', expires_at)
        end
        cancel_remove(b, rec.id)
        done_add(b, retention, rec.id)
        count_total(b, 'canceled', 1)
        pause_forget(b, rec)
        lane_left(b, rec)
        sequence_moved(b, rec, 'Canceled')
    end

    -- Released again for another attempt.
    function wait_again(b, rec, ...)
        clear_failure(b, rec)
        transition(b, rec.type, rec.id, rec.status, 'Waiting', ...)
        lane_left(b, rec)
        if rec.sequence then return sequence_moved(b, rec, 'Waiting') end
        ready(b, rec.type, rec.id, rec.lane)
    end

    -- Failed, and timed for its next attempt: retry k.
    function wait_retry(b, rec, k, finished, due, text)
        local finished_at = integer(finished)
        if rec.expires then call('HDEL', b.ops .. rec.id, 'ExpiresAt') end
        transition(b, rec.type, rec.id, rec.status, 'Error', 'RetryCount', k, 'FinishedAt', finished_at, 'Error', text)
        b.due_add[#b.due_add + 1] = integer(due)
        b.due_add[#b.due_add + 1] = rec.id
        b.errors_add[#b.errors_add + 1] = finished_at
        b.errors_add[#b.errors_add + 1] = rec.id
        lane_left(b, rec)
        sequence_moved(b, rec, 'Error')
    end

    -- An attempt that Redis forgot when it went backwards runs: it gets its lease back. What was an Error for good must
    -- have been redriven.
    function run_again(b, rec, token, started, worker, instance)
        local settings = settings_of(b, rec)
        if rec.status == 'Error' and is_final(b, rec) then
            call('HDEL', b.ops .. rec.id, 'RetryCount', 'lost', 'crashes', 'alone')
        end
        clear_failure(b, rec)
        transition(b, rec.type, rec.id, rec.status, 'Running', 'token', token, 'StartedAt', integer(started),
                   'WorkerUri', worker)
        sequence_moved(b, rec, 'Running')
        lane_runs(b, rec)
        lease_add(b, rec.type, rec.id, token, started, tonumber(rec.timeout or settings.timeout_ms or 60000), instance,
                  (rec.large and 'L' or rec.payload and 'p' or '-') .. (rec.sequence and 's' or '') ..
                      (rec.lane and (rec.group and not rec.leader and 'lg' or 'lf') or ''), rec.parent)
    end
end
