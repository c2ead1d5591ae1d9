-- bgop_mend: looks at one subject again, and mends what is still wrong with it. Open only.
--   args  generation, then  record, Id, content checksum or ''  |  member, index, member  |  group, sequence group  |
--         lane, lane  |  key, name  |  count, Type:Status, difference to be added  |  born, Id  |  done, Id  |  change, Id  |
--         name, Name, Id of a holder  |  payload, Id, bytes  |  fence, field, where it is to stand at least  |
--         born_twice, Id, "entry entry": two that have it; the second is written again without it
--   ->    OK, now, what was mended ...
do
    local load, places, kind_of, name_of = agreement.load, agreement.places, agreement.kind_of, agreement.name_of
    local REMOVE = {zset = 'ZREM', hash = 'HDEL', set = 'SREM'}

    -- When the next attempt is due, by the retry law.
    local function retry_at(b, r)
        local rec = record_load(b, r.id)
        local backoff = tonumber(rec.backoff or settings_of(b, rec).retry_backoff_ms or 0)
        local delay = retry_delay_ms(math.max(rec.retries, 1), backoff, b.retry_max_delay_ms)
        return integer((tonumber(r.FinishedAt) or b.now) + delay)
    end

    -- A lease for what runs: whoever holds its token renews it; else it is taken back when it ends. Who holds it, the lease
    -- before says, as far as it is about this attempt.
    local function lease_again(b, r)
        local rec, lease = record_load(b, r.id), call('HGET', b.prefix .. KEY.LEASES, r.id) or ''
        local token, instance = lease:match('^(%S+) %d+!? (%S+) ')
        local leads = rec.group and not rec.leader
        lease_add(b, r.Type, r.id, integer(rec.token), rec.started or b.now,
                  tonumber(rec.timeout or settings_of(b, rec).timeout_ms or 60000),
                  token == integer(rec.token) and instance or '-',
                  agreement.lease_tail(b, r, leads and 'g' or ''):match('^%S+ (%S+)'), rec.parent)
        flush(b)
    end

    -- ---- into an index again, by its name; key: that of this index ----

    local function put_ready(b, r) return ready(b, r.Type, r.id, r.lane) end

    local function put_set(b, r, key)
        call('SADD', key, r.id)
        sequence_touch(b, r.group)
    end

    local PUT = {
        [NAME.LEASES] = lease_again, [NAME.RUNNING] = lease_again,
        [NAME.PENDING] = put_ready, [NAME.LANE] = put_ready,
        [NAME.SEQ_ACTIVE] = put_set, [NAME.SEQ_FAILED] = put_set,
        [NAME.LANE_OUT] = function(b, r, key)
            call('SADD', key, r.id)
            lane_touch(b, r.lane)
        end,
        [NAME.DUE] = function(b, r, key)
            call('ZADD', key, r.Status == 'Scheduled' and (r.ProcessAfter or b.now_text) or retry_at(b, r), r.id)
        end,
        [NAME.ERRORS] = function(b, r, key) call('ZADD', key, r.FinishedAt or b.now_text, r.id) end,
        [NAME.PARENT] = function(b, r, key) call('ZADD', key, r.SubmittedAt, r.id) end,
        [NAME.SEQ] = function(b, r) sequence_add(b, r.group, r.SequenceNumber, r.id) end,
    }

    local function put(b, r, index)
        local put_into = PUT[name_of(index)]
        if not put_into then return false end
        put_into(b, r, b.prefix .. ':' .. index)
    end

    -- A Name's holder again. content: as bgop_ingest was given it; '': that is not to be had, and a holder that knew it
    -- keeps what it knew; else the same submission again will be refused, not counted.
    local function put_name(b, r, content)
        local kept, known = {}, content ~= '' and content or '-'
        for _, holder in ipairs(agreement.holders(b, r.Name) or {}) do
            if holder[HOLDER.ID] ~= r.id then
                kept[#kept + 1] = holder
            elseif content == '' and (holder[HOLDER.CONTENT] or '') ~= '' then
                known = holder[HOLDER.CONTENT]
            end
        end
        kept[#kept + 1] = holder_new(r.id, r.Type, agreement.routing(r), known)
        call('HSET', b.prefix .. KEY.NAMES, r.Name, cjson.encode(kept))
    end

    local function put_worker(b, r)
        call('XADD', b.prefix .. KEY.WORKER .. r.WorkerUri, b.stream_id, 'ids', r.id)
        call('ZADD', b.prefix .. KEY.URIS, 'NX', b.now_text, r.WorkerUri)
    end

    -- Looked at when it expires: in one of few streams, at or after its time.
    local function done_again(b, r)
        local left = math.max(math.ceil((tonumber(r.ExpiresAt) - b.now) / 1000), 1)
        for _, seconds in ipairs({60, 3600, 86400, 604800}) do
            if left <= seconds then return done_add(b, seconds, r.id) end
        end
        done_add(b, left, r.id)
    end

    local function expire_again(b, r)
        if r.holds then return sequence_touch(b, r.group) end
        local retention = retention_of(b, r.Type, r.Status)
        call('HSET', b.ops .. r.id, 'ExpiresAt', integer(b.now + retention * 1000))
        done_add(b, retention, r.id)
        edited(b, r.id, r.Status)
    end

    local function list_again(b, key, r)
        if call('LINDEX', key, 0) ~= r.GroupLeaderId then
            call('LREM', key, 0, r.GroupLeaderId)
            call('LPUSH', key, r.GroupLeaderId)
        end
        if not call('LPOS', key, r.id) then call('RPUSH', key, r.id) end
    end

    -- A follower whose leader runs no more: what succeeded stays Merged beside a leader that completed, else it is
    -- Complete; what did not waits again.
    local function follow_again(b, r, text)
        if text:find('list') then return list_again(b, b.prefix .. KEY.GROUP .. r.ExecutionGroup, r) end
        if r.ok then
            local retention = retention_of(b, r.Type, 'Complete')
            local leader = call('HMGET', b.ops .. (r.GroupLeaderId or ''), LED_BY.NAMES)
            call('HDEL', b.ops .. r.id, 'ok')
            done_add(b, retention, r.id)
            if leader[LED_BY.STATUS] == 'Complete' and leader[LED_BY.EXECUTION_GROUP] == r.ExecutionGroup then
                return transition(b, r.Type, r.id, 'Merged', 'Merged', 'ExpiresAt', integer(b.now + retention * 1000))
            end
            return transition(b, r.Type, r.id, 'Merged', 'Complete', 'FinishedAt', r.ok, 'ExpiresAt',
                              integer(tonumber(r.ok) + retention * 1000))
        end
        local rec = record_load(b, r.id)
        if rec.leader then group_leave(b, rec) end
        wait_again(b, rec, 'alone', '1')
    end

    -- Answers false when a person has to look at it.
    local function mend_index(b, r, index, text, content)
        local want = places(b, r)
        if index == NAME.NAMES then return put_name(b, r, content) end
        if name_of(index) == NAME.WORKER then return put_worker(b, r) end
        if index == NAME.GROUP then return follow_again(b, r, text) end
        if index == NAME.PARKED then return park_take(b, {r.id}, parked_apply) end
        if index == 'ExpiresAt' then return expire_again(b, r) end
        if index == INDEX.BLOCKED and r.holds then return sequence_touch(b, r.group) end
        if not kind_of(index) then return false end
        if want[index] then return put(b, r, index) end
        call(REMOVE[kind_of(index)], b.prefix .. ':' .. index, r.id)
        if r.group then sequence_touch(b, r.group) end
        if r.lane then lane_touch(b, r.lane) end
    end

    -- What an index was the index of is looked at again when a member was removed.
    local TOUCH = {[NAME.SEQ] = sequence_touch, [NAME.SEQ_ACTIVE] = sequence_touch, [NAME.SEQ_FAILED] = sequence_touch,
                   [NAME.LANE] = lane_touch, [NAME.LANE_OUT] = lane_touch}

    -- Removed from an index it does not belong to.
    local function mend_member(b, index, id, text)
        if index == INDEX.PARKED and text:find(NAME.PARKED_AT, 1, true) then
            return call('ZADD', b.prefix .. KEY.PARKED_AT, b.now_text, id)
        elseif index == INDEX.PARKED then
            call('ZREM', b.prefix .. KEY.PARKED_AT, id)
        end
        call(REMOVE[kind_of(index)], b.prefix .. ':' .. index, id)
        local touch = TOUCH[name_of(index)]
        if touch then touch(b, index:match('^[^:]+:(.*)$')) end
    end

    -- Where a key of these names is looked for, so that it is found again; false: nowhere.
    local FOUND_BY = {
        [NAME.DONE] = function(b, of) return of:find('^%d+$') and call('SADD', b.prefix .. KEY.RETENTIONS, of) end,
        [NAME.INSTANCE] = function(b, of) return call('ZADD', b.prefix .. KEY.WORKERS, b.now_text, of) end,
        [NAME.WORKER] = function(b, of) return call('ZADD', b.prefix .. KEY.URIS, b.now_text, of) end,
        [NAME.ASIDE] = function(b, of) return call('ZADD', b.prefix .. KEY.RESUMING, b.now_text, of) end,
    }

    local function mend_key(b, key)
        local name, of = key:match('^([^:]+):(.*)$')
        if FOUND_BY[name] and FOUND_BY[name](b, of) then return end
        call('DEL', b.prefix .. ':' .. key)
    end

    local function born_ids(b, entry)
        if not entry:find('^%d+%-%d+$') then return nil end
        local found = call('XRANGE', b.prefix .. KEY.BORN, entry, entry)[1]
        return found and found[STREAMED.FIELDS][BATCH.IDS]
    end

    local MENDS = {
        record = function(b, answer, id, content)
            local r = load(b, id)
            local wrong = r and agreement.record(b, r) or {}
            for i = 1, #wrong, WRONG.SIZE do
                local index = wrong[i + WRONG.INDEX]
                if mend_index(b, load(b, id), index, wrong[i + WRONG.TEXT], content) ~= false then
                    flush(b)
                    answer[#answer + 1] = index
                end
            end
        end,
        member = function(b, answer, index, id)
            local text = kind_of(index) and agreement.member(b, index, id)
            if not text then return end
            mend_member(b, index, id, text)
            answer[#answer + 1] = index
        end,
        group = function(b, answer, name)
            local wrong, index = agreement.group(b, name)
            if not wrong then return end
            if index == INDEX.SEQ_FAILING then call('HDEL', b.prefix .. KEY.SEQ_FAILING, name) end
            sequence_touch(b, name)
            answer[#answer + 1] = index
        end,
        lane = function(b, answer, name)
            if not agreement.lane(b, name) then return end
            lane_touch(b, name)
            answer[#answer + 1] = NAME.LANE_OUT
        end,
        key = function(b, answer, name)
            if not agreement.key(b, name) then return end
            mend_key(b, name)
            answer[#answer + 1] = name
        end,
        count = function(b, answer, name, difference)
            if not name:find(':') or not tonumber(difference) then return end
            call('HINCRBY', b.prefix .. KEY.COUNTS, name, difference)
            answer[#answer + 1] = INDEX.COUNTS
        end,
        payload = function(b, answer, id, bytes)
            local large = call('HGET', b.ops .. id, 'large')
            if not large or tonumber(large) ~= #bytes then return end
            call('SET', b.prefix .. KEY.IN .. id, bytes)
            answer[#answer + 1] = NAME.IN
        end,
        -- Without the fingerprint of what stands before it: that comes with its next move. A status log is read again from
        -- its begin, where tokens say what is old.
        fence = function(b, answer, field, least)
            if not whole(least) or not agreement.fence(b, field, tonumber(least)) then return end
            if field:find('^s%d+$') then
                call('HSET', b.prefix .. KEY.FENCES, field, integer(tonumber(least)) .. ' -1 0 0')
            else
                call('HDEL', b.prefix .. KEY.FENCES, field)
            end
            answer[#answer + 1] = INDEX.FENCES
        end,
        change = function(b, answer, id)                -- seen as changed now
            local r = load(b, id)
            if not r then return end
            edited(b, id, r.Status)
            answer[#answer + 1] = INDEX.CHANGES
        end,
        born_twice = function(b, answer, id, entries)
            local first, second = entries:match('^(%S+) (%S+)$')
            local kept, again = first and born_ids(b, first), second and born_ids(b, second)
            if not kept or not again or not kept:find(id, 1, true) then return end
            local rest, met = {}, first ~= second
            for other in again:gmatch('%S+') do
                if other ~= id or not met then rest[#rest + 1] = other end
                met = met or other == id
            end
            call('XDEL', b.prefix .. KEY.BORN, second)
            if rest[1] then call('XADD', b.prefix .. KEY.BORN, b.stream_id, 'ids', table.concat(rest, ' ')) end
            answer[#answer + 1] = INDEX.BORN
        end,
        born = function(b, answer, id)
            if call('EXISTS', b.ops .. id) == 0 then return end
            call('XADD', b.prefix .. KEY.BORN, b.stream_id, 'ids', id)
            answer[#answer + 1] = INDEX.BORN
        end,
        -- Without an Id: what stands there cannot be read, and who held the Name is found as a record. With one: forgotten
        -- in a day, as if its holder were removed now.
        name = function(b, answer, name, id)
            if id == '' then
                if not agreement.holders(b, name) then call('HDEL', b.prefix .. KEY.NAMES, name) end
                answer[#answer + 1] = INDEX.NAMES
                return
            end
            if call('EXISTS', b.ops .. id) == 1 then return end
            call('XADD', b.prefix .. KEY.NAMES_GONE, b.stream_id, 'id', id, 'name', name)
            answer[#answer + 1] = INDEX.NAMES
        end,
        done = function(b, answer, id)
            local r = load(b, id)
            if not r or not r.ExpiresAt then return end
            done_again(b, r)
            answer[#answer + 1] = NAME.DONE
        end,
    }

    local function mend(keys, args)
        local gate, refusal = gate_pass(keys, args, true)
        if not gate then return refusal end
        local mend_what, subject = MENDS[args[MEND.WHAT]], args[MEND.SUBJECT]
        if not mend_what or not subject then return invalid('what: %s', tostring(args[MEND.WHAT])) end
        local b, answer = batch_open(gate), answer_ok(gate.now)
        b.cancels = true
        mend_what(b, answer, subject, args[MEND.ARGUMENT] or '')
        finish(b)
        return answer
    end

    redis.register_function{function_name = 'bgop_mend', callback = mend, flags = {'allow-oom'}}
end
