-- One record: loading it, the single place where its status changes, and what is kept beside it.
--
-- A change of status has two halves. The record's own is written at once, by `transition` (a later step of the same call
-- reads what it says). The other half, the indexes, is collected in the batch: which index is left follows from the old
-- status (`moved`, batch.lua); which one is entered the caller says, since only it knows: `ready` or `release` for what is
-- claimable, due_add for what has a time, lease_add for what runs, done_add for what has ended. A status and its indexes:
-- common/record/tables.h.
local transition, record_load, settings_of, is_final, is_running, retention_of, cancel_requested, cancel_remove
local lease_add, error_cut, text_json, try_add

-- What `more` of a record says: a claim must look for further fields; `s`, it is in a sequence group, `l`, in a lane.
local SEQUENCED, LANED = {s = true, sl = true}, {l = true, sl = true}

-- The name of a record's sequence group. The ParentKey's colons are hidden, so that no two groups have one name.
local function sequence_name(type, parent, group)
    if parent:find('[:%%]') then parent = parent:gsub('[:%%]', {[':'] = '%3A', ['%'] = '%25'}) end
    return type .. ':' .. parent .. ':' .. group
end

-- The name of its lane.
local function lane_name(type, parent) return type .. ':' .. parent end

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
        local f = call('HMGET', b.ops .. id, LOADED.NAMES)
        if not f[LOADED.STATUS] then return nil end
        local rec = {id = id, status = f[LOADED.STATUS], type = f[LOADED.TYPE], token = tonumber(f[LOADED.TOKEN] or 0),
                     retries = tonumber(f[LOADED.RETRY_COUNT] or 0), limit = f[LOADED.RETRY_LIMIT],
                     backoff = f[LOADED.RETRY_BACKOFF], timeout = f[LOADED.TIMEOUT], version = f[LOADED.VERSION],
                     lost = tonumber(f[LOADED.LOST] or 0), crashes = tonumber(f[LOADED.CRASHES] or 0),
                     started = tonumber(f[LOADED.STARTED_AT] or nil), worker = f[LOADED.WORKER_URI] or '',
                     large = f[LOADED.LARGE], expires = f[LOADED.EXPIRES_AT], payload = f[LOADED.PAYLOAD],
                     changed = tonumber(f[LOADED.MODSTAMP] or nil)}
        local more, parent = f[LOADED.MORE], f[LOADED.PARENT_KEY]
        if SEQUENCED[more] then
            rec.sequence = sequence_name(rec.type, parent or '', f[LOADED.SEQUENCE_GROUP])
            rec.number = f[LOADED.SEQUENCE_NUMBER]
        end
        if LANED[more] then
            rec.lane, rec.parent = lane_name(rec.type, parent), parent
            rec.group, rec.leader = f[LOADED.EXECUTION_GROUP], f[LOADED.LEADER_ID]
            rec.succeeded, rec.led = f[LOADED.SUCCEEDED], f[LOADED.LED]
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
        if status == 'Error' then return not call('ZSCORE', b.prefix .. KEY.DUE, rec.id) end
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

    function cancel_remove(b, id)
        if b.cancels then b.cancels_remove[#b.cancels_remove + 1] = id end
    end

    -- The reason of a recorded cancel request, nil: there is none. b.cancels: there are any at all.
    function cancel_requested(b, id)
        return b.cancels and call('HGET', b.prefix .. KEY.CANCELS, id) or nil
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
        local list = b.prefix .. KEY.TRIES .. id
        local try = string.format('{"attempt":%d,"worker":%s,"started":%s,"finished":%s,"error":%s}', token % ATTEMPTS,
                                  text_json(worker), started and integer(started) or 'null', integer(finished),
                                  text_json(text))
        if call('RPUSH', list, try) > MAX_TRIES then call('LTRIM', list, -MAX_TRIES, -1) end
    end

    -- What runs under a lease, until its worker does not renew it. Its worker should have stopped it at Timeout: renewed
    -- later than the backstop, it has timed out. payload: 'p' inside the record, 'L' in its own key, '-' none; behind it what
    -- makes its end more than its own: 's' a sequence group, 'l' a lane (of this ParentKey), 'g' followers, 'e' such as
    -- are alike (group.lua), 'f' perhaps some: Redis forgot with whom it ran. README.md: leases.
    function lease_add(b, type, id, token, started, timeout, instance, payload, parent)
        local leases, running, last = b.leases, b.running, b.last_lease
        if last.token ~= token or last.started ~= started or last.timeout ~= timeout or last.instance ~= instance or
            last.type ~= type or last.payload ~= payload or last.parent ~= parent then
            local text = token .. ' ' .. time_text(b, started + timeout + BACKSTOP_MS) .. ' ' .. instance .. ' ' .. type ..
                ' ' .. payload .. (parent and ' ' .. parent or '')
            last = {token = token, started = started, timeout = timeout, instance = instance, type = type,
                    payload = payload, parent = parent, text = text}
            b.last_lease = last                     -- those of a claim are alike
        end
        leases[#leases + 1] = id
        leases[#leases + 1] = last.text
        running[#running + 1] = time_text(b, b.now + b.lease_ms)
        running[#running + 1] = id
    end
end
