-- What must hold between a record and all that names it, whether it does, and mending what does not: the record is the
-- truth, indexes and counters follow it. For `bgopctl doctor`. Between two calls of the other functions all of this
-- holds for every operation, so one look is enough; only counters need more than one call to be compared.
--
-- bgop_check: looks, writes nothing.
--   keys  1 shard prefix
--   args  what, ...: which of these
--         records, Id...             ->  position of `changes`, (Id, Type, Status, final, SystemModstamp, n,
--                                        (index, what is wrong) x n)*          Type empty: there is no record
--         members, index, member...  ->  (member, index, what is wrong)*      of what should not be there
--         groups, sequence group...  ->  (group, index, what is wrong)*
--         lanes, lane...             ->  (lane, index, what is wrong)*
--         keys, name...              ->  (name, name, what is wrong)*         keys that go with something that is gone
--         fences, (field, least)*    ->  (field, fences, what is wrong)*      of a submit partition, one more than the offset
--                                                                            of the last operation recorded of it, else 0
--         counts                     ->  positions of `changes` and of `deleted`, (Type:Status, number)*
--   At most 500 subjects. Error RECOVERING: the shard is not open.
local agreement = {}        -- what mend.lua needs of this file
do
    local FIELDS = {'Status', 'Type', 'ParentKey', 'SequenceGroup', 'SequenceNumber', 'token', 'ExpiresAt',
                    'FinishedAt', 'Error', 'SubmittedAt', 'SystemModstamp', 'ProcessAfter', 'Name', 'large', 'more',
                    'ok', 'ExecutionGroup', 'GroupLeaderId', 'WorkerUri', 'StartedAt'}
    local WORKER_ENTRIES = 100
    local STATUSES = {New = true, Scheduled = true, Waiting = true, Running = true, Merged = true, Complete = true,
                      Error = true, Canceled = true}
    -- The indexes of records and what else has members, by name, and how each is kept in Redis.
    local KINDS = {
        [NAME.PENDING] = KIND.PENDING, [NAME.DUE] = KIND.DUE, [NAME.RUNNING] = KIND.RUNNING, [NAME.ERRORS] = KIND.ERRORS,
        [NAME.BLOCKED] = KIND.BLOCKED, [NAME.PARENT] = KIND.PARENT, [NAME.SEQ] = KIND.SEQ, [NAME.ASIDE] = KIND.ASIDE,
        [NAME.LANE] = KIND.LANE, [NAME.LANE_OUT] = KIND.LANE_OUT, [NAME.LEASES] = KIND.LEASES,
        [NAME.CANCELS] = KIND.CANCELS, [NAME.SEQ_ACTIVE] = KIND.SEQ_ACTIVE, [NAME.SEQ_FAILED] = KIND.SEQ_FAILED,
        [NAME.PARKED] = KIND.PARKED, [NAME.PARKED_AT] = KIND.PARKED_AT, [NAME.WORKERS] = KIND.WORKERS,
        [NAME.URIS] = KIND.URIS, [NAME.SWEEPS] = KIND.SWEEPS, [NAME.RETENTIONS] = KIND.RETENTIONS,
    }
    local SCORE = {zset = 'ZSCORE', hash = 'HGET', set = 'SISMEMBER'}

    local function name_of(index) return index:match('^[^:]+') end
    local function kind_of(index) return KINDS[name_of(index)] end

    -- The score (or value) of a member in an index; nil: it is not there.
    local function placed(b, index, id)
        local kind = kind_of(index)
        local found = call(SCORE[kind], b.prefix .. ':' .. index, id)
        if kind == 'set' then return found == 1 or nil end
        return found or nil
    end

    local function load(b, id)
        local f, r = call('HMGET', b.ops .. id, unpack(FIELDS)), {id = id}
        if not f[1] and call('EXISTS', b.ops .. id) == 0 then return nil end
        for i, name in ipairs(FIELDS) do r[name] = f[i] or nil end
        r.Status, r.Type = r.Status or '', r.Type or ''
        r.lane = LANED[r.more] and lane_name(r.Type, r.ParentKey)
        r.group = r.SequenceGroup and sequence_name(r.Type, r.ParentKey or '', r.SequenceGroup)
        return r
    end

    -- ---- where a record belongs ----

    -- Of an Error: does it hold its sequence group, or end it?
    local function failure_load(b, r)
        if r.Status ~= 'Error' or not r.group then return end
        r.holds = placed(b, INDEX.SEQ_FAILED .. r.group, r.id) or placed(b, INDEX.BLOCKED, r.id) and
            not placed(b, INDEX.DUE, r.id)
        r.ends = call('HGET', b.prefix .. KEY.SEQ_FAILING, r.group) == r.id
    end

    -- Laid aside by a pause, or about to be put back after one.
    local function is_aside(b, r)
        for _, name in ipairs({'T:' .. r.Type, r.ParentKey and 'P:' .. r.ParentKey}) do
            if placed(b, INDEX.ASIDE .. name, r.id) then
                if call('HEXISTS', b.prefix .. KEY.PAUSED, name) == 1 then return true end
                if call('ZSCORE', b.prefix .. KEY.RESUMING, name) then return true end
            end
        end
        return false
    end

    -- In `pending` when its turn has come, or laid aside; in the lane before that; nowhere while its sequence group
    -- holds it.
    local function waiting_places(b, r, want, may)
        local pending = INDEX.PENDING .. r.Type
        if r.group and call('HGET', b.prefix .. KEY.SEQ_RELEASED, r.group) ~= r.id then return end
        if r.lane and not placed(b, INDEX.LANE_OUT .. r.lane, r.id) then
            want[INDEX.LANE .. r.lane] = true
            return
        end
        if r.lane then want[INDEX.LANE_OUT .. r.lane] = true end
        if r.Status == 'Waiting' and is_aside(b, r) then may[pending] = true else want[pending] = true end
    end

    local function sequence_places(r, want, may)
        if r.unfinished or r.holds or r.ends then want[INDEX.SEQ .. r.group] = true end
        if r.runs then want[INDEX.SEQ_ACTIVE .. r.group] = true end
        if r.holds then want[INDEX.SEQ_FAILED .. r.group] = true end
        if r.Status == 'Error' and not r.timed then may[INDEX.SEQ_FAILED .. r.group], may[INDEX.BLOCKED] = true, true end
    end

    -- Names of the indexes it must be in, and of those it may be in; of the others it must be in none.
    local function places(b, r)
        local want, may, status = {}, {}, r.Status
        failure_load(b, r)
        r.follows = status == 'Merged' and not r.ok and not r.ExpiresAt
        r.runs = status == 'Running' or r.follows
        r.timed = status == 'Error' and not r.ExpiresAt and not r.holds and not r.ends
        r.waits = status == 'New' or status == 'Waiting'
        r.unfinished = r.waits or status == 'Scheduled' or r.runs or r.timed
        if status == 'Scheduled' or r.timed then want[INDEX.DUE] = true end
        if status == 'Running' then want[INDEX.LEASES], want[INDEX.RUNNING] = true, true end
        if status == 'Running' and r.lane then want[INDEX.LANE_OUT .. r.lane] = true end
        if r.runs then may[INDEX.CANCELS] = true end
        if status == 'Error' then want[INDEX.ERRORS] = true end
        if r.ParentKey then want[INDEX.PARENT .. r.ParentKey] = true end
        if r.waits then waiting_places(b, r, want, may) end
        if r.group then sequence_places(r, want, may) end
        return want, may
    end

    local function candidates(r)
        local names = {INDEX.DUE, INDEX.LEASES, INDEX.RUNNING, INDEX.ERRORS, INDEX.CANCELS, INDEX.BLOCKED,
                       INDEX.PENDING .. r.Type}
        if r.ParentKey then names[#names + 1] = INDEX.PARENT .. r.ParentKey end
        if r.lane then names[#names + 1], names[#names + 2] = INDEX.LANE .. r.lane, INDEX.LANE_OUT .. r.lane end
        if r.group then
            for _, name in ipairs({INDEX.SEQ, INDEX.SEQ_ACTIVE, INDEX.SEQ_FAILED}) do names[#names + 1] = name .. r.group end
        end
        return names
    end

    -- ---- what is wrong with one record ----

    local function add(wrong, index, text)
        local at = #wrong + 1
        wrong[at + WRONG.INDEX], wrong[at + WRONG.TEXT] = index, text
    end

    -- The scores that decide an order.
    local SCORED = {[NAME.DUE] = 'ProcessAfter', [NAME.ERRORS] = 'FinishedAt', [NAME.SEQ] = 'SequenceNumber',
                    [NAME.PARENT] = 'SubmittedAt'}
    local function score_of(r, index)
        if index == INDEX.DUE and r.Status ~= 'Scheduled' then return nil end
        return r[SCORED[name_of(index)] or '']
    end

    local function check_places(b, r, wrong)
        local want, may = places(b, r)
        for _, index in ipairs(candidates(r)) do
            local found = placed(b, index, r.id)
            local score = found and want[index] and score_of(r, index)
            if want[index] and not found then
                add(wrong, index, 'is ' .. r.Status .. ', and not there')
            elseif found and not want[index] and not may[index] then
                add(wrong, index, 'is ' .. r.Status .. ', and there all the same')
            elseif score and kind_of(index) == 'zset' and tonumber(score) ~= tonumber(found) then
                add(wrong, index, 'stands at ' .. found .. ' instead of ' .. score)
            end
        end
    end

    -- What comes behind the instance: Type, payload and marks, ParentKey of a lane (record.lua: lease_add). Whether it may
    -- lead others is sure only while there is a list of them.
    local function lease_tail(b, r, lead)
        local payload = r.large and 'L' or call('HEXISTS', b.ops .. r.id, 'in') == 1 and 'p' or '-'
        local group = r.lane and b.prefix .. KEY.GROUP .. r.id .. '-' .. integer(tonumber(r.token or 0) % ATTEMPTS)
        if lead ~= 'e' and group and call('EXISTS', group) == 1 then lead = 'g' end
        return r.Type .. ' ' .. payload .. (r.group and 's' or '') .. (r.lane and 'l' .. lead .. ' ' .. r.ParentKey or '')
    end

    local function check_lease(b, r, wrong)
        local lease = r.Status == 'Running' and call('HGET', b.prefix .. KEY.LEASES, r.id)
        if not lease then return end
        if lease:match('^%S+') ~= (r.token or '') then
            return add(wrong, INDEX.LEASES, 'has the token of another attempt')
        end
        local tail = lease:match('^%S+ %d+!? %S+ (.*)$')
        if tail ~= lease_tail(b, r, tail and tail:match('^%S+ %Ss?l([gef])') or '') then
            add(wrong, INDEX.LEASES, 'does not say what the record says')
        end
    end

    -- Who failed for good and holds its group has no ExpiresAt, and is in `blocked`, while something stands behind it.
    local function check_hold(b, r, wrong)
        if not r.holds then return end
        local behind = (call('ZREVRANK', b.prefix .. KEY.SEQ .. r.group, r.id) or 0) ~= 0
        if behind == (r.ExpiresAt ~= nil) then
            local text = behind and 'expires while others wait behind it' or 'holds nothing, and never expires'
            add(wrong, 'ExpiresAt', text)
        end
        if behind ~= (placed(b, INDEX.BLOCKED, r.id) ~= nil) then
            add(wrong, INDEX.BLOCKED, behind and 'others wait behind it, and it is not there' or 'nothing waits behind it')
        end
    end

    -- A follower, until its leader's execution has ended: the leader runs, and lists it.
    local function check_follower(b, r, wrong)
        if r.Status ~= 'Merged' or r.ExpiresAt then return end
        local leader = call('HMGET', b.ops .. (r.GroupLeaderId or ''), LEADER.NAMES)
        local group = (r.GroupLeaderId or '') .. '-' .. integer(tonumber(leader[LEADER.TOKEN] or 0) % ATTEMPTS)
        if leader[LEADER.STATUS] ~= 'Running' or group ~= r.ExecutionGroup then
            add(wrong, NAME.GROUP, 'is Merged, and its leader does not run it')
        elseif not call('LPOS', b.prefix .. KEY.GROUP .. group, r.id) then
            add(wrong, NAME.GROUP, 'is Merged, and its group does not list it')
        elseif call('LINDEX', b.prefix .. KEY.GROUP .. group, 0) ~= r.GroupLeaderId then
            add(wrong, NAME.GROUP, 'is Merged, and its group does not list its leader first')
        end
    end

    -- The holders of a Name; nil: what stands there cannot be read.
    local function holders_read(b, name)
        local text = call('HGET', b.prefix .. KEY.NAMES, name)
        if not text then return {} end
        local read, holders = pcall(cjson.decode, text)
        if not read or type(holders) ~= 'table' then return nil end
        for _, holder in ipairs(holders) do
            if type(holder) ~= 'table' then return nil end
        end
        return holders
    end

    local function routing_of(r) return r.ParentKey or r.SequenceGroup or r.Name end

    -- The checksum of its content: of a submission that cannot be had again, '-'.
    local function check_name(b, r, wrong)
        if not r.Name then return end
        local holders = holders_read(b, r.Name)
        if not holders then return add(wrong, NAME.NAMES, 'what stands there for its Name cannot be read') end
        for _, holder in ipairs(holders) do
            if holder[HOLDER.ID] == r.id then
                if holder[HOLDER.TYPE] ~= r.Type or holder[HOLDER.ROUTING] ~= routing_of(r) then
                    add(wrong, NAME.NAMES, 'its Name stands there with another Type or routing key')
                elseif (holder[HOLDER.CONTENT] or '') == '' then
                    add(wrong, NAME.NAMES, "its Name stands there without its content's checksum")
                end
                return
            end
        end
        add(wrong, NAME.NAMES, 'its Name is not there')
    end

    local function check_payload(b, r, wrong)
        if not r.large or r.Status == 'Complete' or r.Status == 'Merged' then return end
        local bytes = call('STRLEN', b.prefix .. KEY.IN .. r.id)
        if bytes == 0 then
            add(wrong, NAME.IN, 'its payload is lost')
        elseif bytes ~= tonumber(r.large) then
            add(wrong, NAME.IN, 'its payload has ' .. bytes .. ' bytes instead of ' .. r.large)
        end
    end

    -- Claims and reasserts name what runs in the stream of its worker, at StartedAt or later: bgop_lookup goes by it. Nothing
    -- is said of an attempt that is known by a cancel alone (its lease names no instance: a worker has yet to reassert it),
    -- and of a stream with very much behind StartedAt.
    local function check_worker(b, r, wrong)
        if r.Status ~= 'Running' or not r.WorkerUri or not r.StartedAt then return end
        local lease = call('HGET', b.prefix .. KEY.LEASES, r.id)
        if lease and lease:match('^%S+ %d+!? (%S+)') == '-' then return end
        local entries = call('XRANGE', b.prefix .. KEY.WORKER .. r.WorkerUri, r.StartedAt, '+', 'COUNT', WORKER_ENTRIES)
        if #entries == WORKER_ENTRIES then return end
        for _, entry in ipairs(entries) do
            if entry[STREAMED.FIELDS][BATCH.IDS]:find(r.id, 1, true) then return end
        end
        add(wrong, INDEX.WORKER .. r.WorkerUri, 'is Running there, and not in that stream')
    end

    local function check_fields(b, r, wrong)
        local ended = r.Status == 'Complete' or r.Status == 'Canceled'      -- of Merged: check_follower
        if not STATUSES[r.Status] then return add(wrong, 'Status', 'is no status: ' .. r.Status) end
        if call('HEXISTS', b.prefix .. KEY.TYPES, r.Type) == 0 then add(wrong, 'Type', 'is not known: ' .. r.Type) end
        if ended and not r.ExpiresAt then add(wrong, 'ExpiresAt', 'is ' .. r.Status .. ', and never expires') end
        if (r.Status == 'Error') ~= (r.Error ~= nil) then
            add(wrong, 'Error', r.Error and 'has an error and is ' .. r.Status or 'has no text')
        end
        check_payload(b, r, wrong)
        if call('HEXISTS', b.prefix .. KEY.PARKED, r.id) == 1 then
            add(wrong, NAME.PARKED, 'entries of the status log lie there for it')
        end
    end

    local function check_record(b, r)
        local wrong = {}
        check_fields(b, r, wrong)
        if not STATUSES[r.Status] then return wrong end
        check_places(b, r, wrong)
        check_lease(b, r, wrong)
        check_worker(b, r, wrong)
        check_hold(b, r, wrong)
        check_follower(b, r, wrong)
        check_name(b, r, wrong)
        return wrong
    end

    -- ---- the other way round ----

    -- What is no index of operations, and what must be there for a member of it.
    local function missing_key(name, text)
        return function(b, of) return call('EXISTS', b.prefix .. name .. of) == 0 and text or nil end
    end
    local BOOKS = {
        [NAME.WORKERS] = missing_key(KEY.INSTANCE, 'nothing is known of this instance'),
        [NAME.URIS] = missing_key(KEY.WORKER, 'there is no such stream'),
        [NAME.RETENTIONS] = function(_, seconds)
            return not seconds:find('^%d+$') and 'is no number of seconds: nothing would expire' or nil
        end,
        [NAME.SWEEPS] = function(b, stream)
            if call('EXISTS', b.prefix .. ':' .. stream) == 0 then return 'there is no such stream' end
            local place = call('HGET', b.prefix .. KEY.SWEEPS, stream)
            return not place:find('^%d+%-%d+$') and 'is no place in a stream: sweeping it fails' or nil
        end,
    }

    -- Why a member should not be in an index; nil: it should, or is not.
    local function check_member(b, index, id)
        if not placed(b, index, id) then return nil end
        if index == INDEX.PARKED then
            local read, list = pcall(cjson.decode, call('HGET', b.prefix .. KEY.PARKED, id))
            if not read or type(list) ~= 'table' then return 'what lies there for it cannot be read' end
            return not placed(b, INDEX.PARKED_AT, id) and 'is not in parked_at: it would lie there for ever' or nil
        elseif index == INDEX.PARKED_AT then
            return not placed(b, INDEX.PARKED, id) and 'nothing lies parked for it' or nil
        end
        if BOOKS[index] then return BOOKS[index](b, id) end
        local r = load(b, id)
        if not r then return 'there is no such operation' end
        if name_of(index) == NAME.ASIDE then return nil end     -- may have gone another way since
        local want, may = places(b, r)
        if not want[index] and not may[index] then return 'is ' .. r.Status .. ' and belongs elsewhere' end
    end

    -- A sequence group: is its first ready member, and nobody else, let go? Answers what is wrong, and where.
    local function check_group(b, name)
        local p = b.prefix
        local failing = call('HGET', p .. KEY.SEQ_FAILING, name)
        if failing and call('HGET', b.ops .. failing, 'Status') ~= 'Error' then
            return 'ends what stands behind ' .. failing .. ', which has not failed', INDEX.SEQ_FAILING
        end
        local busy = call('EXISTS', p .. KEY.SEQ_ACTIVE .. name) == 1 or failing
        local first = call('ZRANGE', p .. KEY.SEQ .. name, 0, 0)[1]
        local status = first and call('HGET', b.ops .. first, 'Status')
        local ready = not busy and (status == 'New' or status == 'Waiting') and first or nil
        local released = call('HGET', p .. KEY.SEQ_RELEASED, name) or nil
        if released ~= ready then
            return 'lets ' .. (released or 'nobody') .. ' go instead of ' .. (ready or 'nobody'), INDEX.SEQ_RELEASED
        end
    end

    -- A lane: does nobody wait for a turn while nobody has it?
    local function check_lane(b, name)
        local out = call('EXISTS', b.prefix .. KEY.LANE_OUT .. name) == 1
        if call('EXISTS', b.prefix .. KEY.LANE .. name) == 1 and not out then return 'lets nobody go' end
    end

    -- A fence never stands below what was recorded up to there: both are written in one call.
    local function check_fence(b, field, least)
        local text = call('HGET', b.prefix .. KEY.FENCES, field)
        if not field:find('^s%d+$') and field ~= 't' then return text and 'is the fence of no source' or nil end
        local position = fence_read(text or nil)
        if text and not position then return 'cannot be read: ' .. text end
        if tonumber(position) < least then
            return 'stands at ' .. position .. ', and what was submitted up to ' .. integer(least) .. ' is recorded'
        end
    end

    -- ---- keys that go with something else: why this one, <name>:<of>, should not be; nil: it should ----

    local function with_operation(b, of)
        return call('EXISTS', b.ops .. of) == 0 and 'there is no such operation' or nil
    end

    local function with_leader(b, of)
        local leader = call('HMGET', b.ops .. of:sub(1, ID_SIZE), LEADER.NAMES)
        local attempt = integer(tonumber(leader[LEADER.TOKEN] or 0) % ATTEMPTS)
        return (leader[LEADER.STATUS] ~= 'Running' or attempt ~= of:sub(ID_SIZE + 2)) and 'its leader does not run' or nil
    end

    local GOES_WITH = {
        [NAME.IN] = with_operation, [NAME.OUT] = with_operation, [NAME.TRIES] = with_operation,
        [NAME.COMMANDS] = with_operation, [NAME.GROUP] = with_leader,
        [NAME.DONE] = function(b, of)
            if call('SISMEMBER', b.prefix .. KEY.RETENTIONS, of) == 1 then return nil end
            return 'is not in retentions: nothing of it would expire'
        end,
        [NAME.INSTANCE] = function(b, of)
            if call('ZSCORE', b.prefix .. KEY.WORKERS, of) then return nil end
            return 'is not in workers: it would never be forgotten'
        end,
        [NAME.WORKER] = function(b, of)
            if call('ZSCORE', b.prefix .. KEY.URIS, of) then return nil end
            return 'is not in uris: it would never be swept'
        end,
        [NAME.ASIDE] = function(b, of)
            if call('HEXISTS', b.prefix .. KEY.PAUSED, of) == 1 then return nil end
            if call('ZSCORE', b.prefix .. KEY.RESUMING, of) then return nil end
            return 'is neither paused nor being resumed: nothing of it would be put back'
        end,
    }

    local function check_key(b, key)
        local name, of = key:match('^([^:]+):(.*)$')
        local why_not = GOES_WITH[name]
        if not why_not or call('EXISTS', b.prefix .. ':' .. key) == 0 then return nil end
        return why_not(b, of)
    end

    -- ---- bgop_check ----

    local function position_of(stream)
        if call('EXISTS', stream) == 0 then return '0-0' end
        local about = call('XINFO', 'STREAM', stream)
        for i = 1, #about, 2 do
            if about[i] == 'last-generated-id' then return about[i + 1] end
        end
    end

    local function check_records(b, args, answer)
        answer[CHECKED.POSITION] = position_of(b.prefix .. KEY.CHANGES)
        for i = CHECK.SIZE + 1, #args do
            local r, at = load(b, args[i]), #answer + 1
            local wrong = r and check_record(b, r) or {}
            answer[at + CHECKED_RECORD.ID], answer[at + CHECKED_RECORD.TYPE] = args[i], r and r.Type or ''
            answer[at + CHECKED_RECORD.STATUS] = r and r.Status or ''
            answer[at + CHECKED_RECORD.FINAL] = r and r.ExpiresAt and '1' or '0'
            answer[at + CHECKED_RECORD.MODSTAMP] = r and r.SystemModstamp or '0'
            answer[at + CHECKED_RECORD.WRONGS] = #wrong / WRONG.SIZE
            for w = 1, #wrong do answer[at + CHECKED_RECORD.SIZE + w - 1] = wrong[w] end
        end
    end

    local function add_wrong(answer, subject, index, text)
        if not text then return end
        local at = #answer + 1
        answer[at + FOUND.SUBJECT], answer[at + FOUND.INDEX], answer[at + FOUND.TEXT] = subject, index, text
    end

    local function check_counts(b, _, answer)
        local all = call('HGETALL', b.prefix .. KEY.COUNTS)
        answer[CHECKED_COUNTS.CHANGES] = position_of(b.prefix .. KEY.CHANGES)
        answer[CHECKED_COUNTS.DELETED] = position_of(b.prefix .. KEY.DELETED)
        for i = 1, #all, 2 do
            local at = #answer + 1
            if all[i]:find(':', 1, true) then answer[at + COUNT.NAME], answer[at + COUNT.NUMBER] = all[i], all[i + 1] end
        end
    end

    local MODES = {
        counts = check_counts,
        records = check_records,
        members = function(b, args, answer)
            local index = args[CHECK_MEMBERS.INDEX]
            for i = CHECK_MEMBERS.SIZE + 1, #args do add_wrong(answer, args[i], index, check_member(b, index, args[i])) end
        end,
        groups = function(b, args, answer)
            for i = CHECK.SIZE + 1, #args do
                local text, index = check_group(b, args[i])
                add_wrong(answer, args[i], index, text)
            end
        end,
        lanes = function(b, args, answer)
            for i = CHECK.SIZE + 1, #args do add_wrong(answer, args[i], NAME.LANE_OUT, check_lane(b, args[i])) end
        end,
        fences = function(b, args, answer)
            for i = CHECK.SIZE + 1, #args, CHECK_FENCE.SIZE do
                local field, least = args[i + CHECK_FENCE.FIELD], tonumber(args[i + CHECK_FENCE.LEAST])
                if least then add_wrong(answer, field, INDEX.FENCES, check_fence(b, field, least)) end
            end
        end,
        keys = function(b, args, answer)
            for i = CHECK.SIZE + 1, #args do add_wrong(answer, args[i], args[i], check_key(b, args[i])) end
        end,
    }

    local function check(keys, args)
        call = redis.call
        if #keys ~= 1 then return invalid('one key expected: bgop:{<shard>}') end
        local what, index = args[CHECK.WHAT], args[CHECK_MEMBERS.INDEX]
        if not MODES[what] then return invalid('what: %s', tostring(what)) end
        if what == 'members' and not kind_of(index or '') then return invalid('index: %s', tostring(index)) end
        if #args > MAX_ITEMS + CHECK_MEMBERS.SIZE then return invalid('subjects: more than %d', MAX_ITEMS) end
        local g = call('HMGET', keys[1] .. KEY.GATE, GATE_STATE.NAMES)
        if g[GATE_STATE.RUN] ~= run_id() or g[GATE_STATE.MODE] ~= 'OPEN' then return refuse('RECOVERING the shard is not open') end
        local b, answer = {prefix = keys[1], ops = keys[1] .. KEY.OP}, {}
        MODES[what](b, args, answer)
        return answer
    end

    redis.register_function{function_name = 'bgop_check', callback = check, flags = {'no-writes'}}

    agreement.load, agreement.places = load, places
    agreement.kind_of, agreement.name_of = kind_of, name_of
    agreement.record, agreement.member, agreement.key = check_record, check_member, check_key
    agreement.group, agreement.lane, agreement.lease_tail = check_group, check_lane, lease_tail
    agreement.fence, agreement.holders, agreement.routing = check_fence, holders_read, routing_of
end
