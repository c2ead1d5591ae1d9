-- One record: loading it, and the single place where its status changes.
local transition, record_load, settings_of, is_final, is_running, cancel_requested, lease_add, error_cut, try_add
local text_json
local end_complete, end_error, end_canceled, wait_again, wait_retry, run_again, retention_of

do
    local MAX_TRIES = 100
    local BACKSTOP_MS = 5000

    -- The status changes: record (with more fields, as name, value ...), index left, counts, stream of changes. The
    -- index of the new status is the caller's: release, due_add, leases ... Each Id once between two flushes.
    function transition(b, type, id, from, to, ...)
        call('HSET', b.ops .. id, 'Status', to, 'SystemModstamp', b.now_text, ...)
        moved(b, type, id, from, to)
    end

    -- What the slow ways need to know of a record; nil: there is none.
    function record_load(b, id)
        local f = call('HMGET', b.ops .. id, 'Status', 'Type', 'token', 'RetryCount', 'RetryLimit', 'RetryBackoff',
                       'Timeout', 'v', 'lost', 'crashes', 'StartedAt', 'WorkerUri', 'large', 'ExpiresAt', 'in', 'more', 'ParentKey',
                       'SequenceGroup', 'SequenceNumber', 'ExecutionGroup', 'GroupLeaderId', 'ok', 'led')
        if not f[1] then return nil end
        local rec = {id = id, status = f[1], type = f[2], token = tonumber(f[3] or 0), retries = tonumber(f[4] or 0),
                     limit = f[5], backoff = f[6], timeout = f[7], version = f[8], lost = tonumber(f[9] or 0),
                     crashes = tonumber(f[10] or 0), started = tonumber(f[11] or nil), worker = f[12] or '',
                     large = f[13], expires = f[14], payload = f[15]}
        if SEQUENCED[f[16]] then rec.sequence, rec.number = sequence_name(rec.type, f[17] or '', f[18]), f[19] end
        if LANED[f[16]] then
            rec.lane, rec.parent = lane_name(rec.type, f[17]), f[17]
            rec.group, rec.leader, rec.succeeded = f[20], f[21], f[22]
            rec.led = f[23]
        end
        return rec
    end

    -- The settings a record was made with: they hold what the record does not say.
    function settings_of(b, rec)
        rec.settings = rec.settings or b.types.versions[rec.type .. ':' .. (rec.version or '1')] or
            b.types.current[rec.type] or {}
        return rec.settings
    end

    -- Nothing is to come: for an Error nothing is timed, a Merged has succeeded.
    function is_final(b, rec)
        local status = rec.status
        if status == 'Error' then return not call('ZSCORE', b.prefix .. ':due', rec.id) end
        if status == 'Merged' then return rec.succeeded or rec.expires end
        return status == 'Complete' or status == 'Canceled'
    end

    -- Under its own lease, or under its leader's.
    function is_running(rec)
        return rec.status == 'Running' or rec.status == 'Merged' and not rec.succeeded and not rec.expires
    end

    -- Seconds a terminal record is kept; a tenth, but a minute at least, while Redis is short of memory.
    function retention_of(b, type, status)
        local settings = b.types.current[type] or {}
        local seconds = status == 'Error' and (settings.retention_error_s or 604800) or (settings.retention_s or 86400)
        local short = b.pressure == '1' or b.pressure == '2'
        if short then return math.max(math.min(seconds, 60), math.floor(seconds / 10)) end
        return seconds
    end

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

    local function cancel_remove(b, id)
        if b.cancels then b.cancels_remove[#b.cancels_remove + 1] = id end
    end

    -- The reason of a recorded cancel request, nil: there is none. b.cancels: there are any at all.
    function cancel_requested(b, id)
        return b.cancels and call('HGET', b.prefix .. ':cancels', id) or nil
    end

    -- At most 255 characters (UTF-8), as the record says.
    function error_cut(text)
        if #text <= 255 then return text end
        local characters = 0
        for at = 1, #text do
            local byte = text:byte(at)
            if byte < 128 or byte >= 192 then
                characters = characters + 1
                if characters == 256 then return text:sub(1, at - 1) end
            end
        end
        return text:sub(1, 1020)
    end

    function text_json(text) return (cjson.encode(text):gsub('\\/', '/')) end

    -- One more failed attempt (lost leases are some) in the operation's history.
    function try_add(b, id, token, worker, started, finished, text)
        local list = b.prefix .. ':tries:' .. id
        local try = string.format('{"attempt":%d,"worker":%s,"started":%s,"finished":%s,"error":%s}', token % ATTEMPTS,
                                  text_json(worker), started and integer(started) or 'null', integer(finished),
                                  text_json(text))
        if call('RPUSH', list, try) > MAX_TRIES then call('LTRIM', list, -MAX_TRIES, -1) end
    end

    -- What runs under a lease: until its worker does not renew it, but never beyond the backstop (its worker should
    -- have stopped it at Timeout). payload: 'p' inside the record, 'L' in its own key, '-' none; behind it what
    -- makes its end more than its own: 's' a sequence group, 'l' a lane (of this ParentKey), 'g' followers, 'f' perhaps
    -- some: Redis forgot with whom it ran. README.md: leases.
    function lease_add(b, type, id, token, started, timeout, instance, payload, parent)
        local backstop = started + timeout + BACKSTOP_MS
        local leases, running = b.leases, b.running
        leases[#leases + 1] = id
        leases[#leases + 1] = token .. ' ' .. time_text(b, backstop) .. ' ' .. instance .. ' ' .. type .. ' ' .. payload ..
            (parent and ' ' .. parent or '')
        running[#running + 1] = time_text(b, math.min(b.now + b.lease_ms, backstop))
        running[#running + 1] = id
    end

    function end_complete(b, type, id, from, finished, payload, result)
        local retention = retention_of(b, type, 'Complete')
        local finished_at, expires_at = time_text(b, finished), time_text(b, finished + retention * 1000)
        if payload == 'p' then
            transition(b, type, id, from, 'Complete', 'FinishedAt', finished_at, 'ExpiresAt', expires_at, 'in', '')
        else
            transition(b, type, id, from, 'Complete', 'FinishedAt', finished_at, 'ExpiresAt', expires_at)
            if payload == 'L' then b.unneeded[#b.unneeded + 1] = b.prefix .. ':in:' .. id end
        end
        if result and result ~= '' then call('SET', b.prefix .. ':out:' .. id, result) end
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
