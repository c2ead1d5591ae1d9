-- What must hold between a record and all that names it, whether it does, and mending what does not: the record is the
-- truth, indexes and counters follow it. For `bgopctl doctor`. Between two calls of the other functions all of this
-- holds for every operation, so one look is enough; only counters need more than one call to be compared.
--
-- bgop_check: looks, writes nothing.
--   keys  1 shard prefix
--   args  records, Id...             ->  position of `changes`, (Id, Type, Status, final, SystemModstamp, n,
--                                        (index, what is wrong) x n)*          Type empty: there is no record
--         members, index, member...  ->  (member, index, what is wrong)*      of what should not be there
--         groups, sequence group...  ->  (group, index, what is wrong)*
--         lanes, lane...             ->  (lane, index, what is wrong)*
--         keys, name...              ->  (name, name, what is wrong)*         keys that go with something that is gone
--         counts                     ->  positions of `changes` and of `deleted`, (Type:Status, number)*
--   At most 500 subjects. Error RECOVERING: the shard is not open.
local agreement = {}        -- what mend.lua needs of this file
do
    local FIELDS = {'Status', 'Type', 'ParentKey', 'SequenceGroup', 'SequenceNumber', 'token', 'ExpiresAt',
                    'FinishedAt', 'Error', 'SubmittedAt', 'SystemModstamp', 'ProcessAfter', 'Name', 'large', 'more',
                    'ok', 'ExecutionGroup', 'GroupLeaderId'}
    local STATUSES = {New = true, Scheduled = true, Waiting = true, Running = true, Merged = true, Complete = true,
                      Error = true, Canceled = true}
    local KINDS = {pending = 'Z', due = 'Z', running = 'Z', errors = 'Z', blocked = 'Z', parent = 'Z', seq = 'Z',
                   aside = 'Z', lane = 'Z', lane_out = 'S', leases = 'H', cancels = 'H', seq_active = 'S',
                   seq_failed = 'S', parked = 'H', parked_at = 'Z'}
    local SCORE = {Z = 'ZSCORE', H = 'HGET', S = 'SISMEMBER'}

    local function kind_of(index) return KINDS[index:match('^[^:]+')] end

    -- The score (or value) of a member in an index; nil: it is not there.
    local function placed(b, index, id)
        local kind = kind_of(index)
        local found = call(SCORE[kind], b.prefix .. ':' .. index, id)
        if kind == 'S' then return found == 1 or nil end
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
    local function look_at_failed(b, r)
        if r.Status ~= 'Error' or not r.group then return end
        r.holds = placed(b, 'seq_failed:' .. r.group, r.id)
        r.ends = call('HGET', b.prefix .. ':seq_failing', r.group) == r.id
    end

    -- Laid aside by a pause, or about to be put back after one.
    local function is_aside(b, r)
        for _, name in ipairs({'T:' .. r.Type, r.ParentKey and 'P:' .. r.ParentKey}) do
            if placed(b, 'aside:' .. name, r.id) then
                if call('HEXISTS', b.prefix .. ':paused', name) == 1 then return true end
                if call('ZSCORE', b.prefix .. ':resuming', name) then return true end
            end
        end
        return false
    end

    -- In `pending` when its turn has come, or laid aside; in the lane before that; nowhere while its sequence group
    -- holds it.
    local function waiting_places(b, r, want, may)
        local pending = 'pending:' .. r.Type
        if r.group and call('HGET', b.prefix .. ':seq_released', r.group) ~= r.id then return end
        if r.lane and not placed(b, 'lane_out:' .. r.lane, r.id) then
            want['lane:' .. r.lane] = true
            return
        end
        if r.lane then want['lane_out:' .. r.lane] = true end
        if r.Status == 'Waiting' and is_aside(b, r) then may[pending] = true else want[pending] = true end
    end

    local function sequence_places(r, want, may)
        if r.unfinished or r.holds or r.ends then want['seq:' .. r.group] = true end
        if r.runs then want['seq_active:' .. r.group] = true end
        if r.Status == 'Error' and not r.timed then may['seq_failed:' .. r.group], may.blocked = true, true end
    end

    -- Names of the indexes it must be in, and of those it may be in; of the others it must be in none.
    local function places(b, r)
        local want, may, status = {}, {}, r.Status
        look_at_failed(b, r)
        r.follows = status == 'Merged' and not r.ok and not r.ExpiresAt
        r.runs = status == 'Running' or r.follows
        r.timed = status == 'Error' and not r.ExpiresAt and not r.holds and not r.ends
        r.waits = status == 'New' or status == 'Waiting'
        r.unfinished = r.waits or status == 'Scheduled' or r.runs or r.timed
        if status == 'Scheduled' or r.timed then want.due = true end
        if status == 'Running' then want.leases, want.running = true, true end
        if status == 'Running' and r.lane then want['lane_out:' .. r.lane] = true end
        if r.runs then may.cancels = true end
        if status == 'Error' then want.errors = true end
        if r.ParentKey then want['parent:' .. r.ParentKey] = true end
        if r.waits then waiting_places(b, r, want, may) end
        if r.group then sequence_places(r, want, may) end
        return want, may
    end

    local function candidates(r)
        local names = {'due', 'leases', 'running', 'errors', 'cancels', 'blocked', 'pending:' .. r.Type}
        if r.ParentKey then names[#names + 1] = 'parent:' .. r.ParentKey end
        if r.lane then names[#names + 1], names[#names + 2] = 'lane:' .. r.lane, 'lane_out:' .. r.lane end
        if r.group then
            for _, name in ipairs({'seq:', 'seq_active:', 'seq_failed:'}) do names[#names + 1] = name .. r.group end
        end
        return names
    end

    -- ---- what is wrong with one record ----

    local function add(wrong, index, text) wrong[#wrong + 1], wrong[#wrong + 2] = index, text end

    -- The scores that decide an order.
    local SCORED = {due = 'ProcessAfter', errors = 'FinishedAt'}
    local function score_of(r, index)
        if index == 'due' and r.Status ~= 'Scheduled' then return nil end
        local name = index:match('^[^:]+')
        return name == 'seq' and r.SequenceNumber or name == 'parent' and r.SubmittedAt or r[SCORED[index] or '']
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
            elseif score and kind_of(index) == 'Z' and tonumber(score) ~= tonumber(found) then
                add(wrong, index, 'stands at ' .. found .. ' instead of ' .. score)
            end
        end
    end

    local function check_lease(b, r, wrong)
        local lease = r.Status == 'Running' and call('HGET', b.prefix .. ':leases', r.id)
        if lease and lease:match('^%S+') ~= (r.token or '') then
            add(wrong, 'leases', 'has the token of another attempt')
        end
    end

    -- Who failed for good and holds its group has no ExpiresAt, and is in `blocked`, while something stands behind it.
    local function check_hold(b, r, wrong)
        if not r.holds then return end
        local behind = (call('ZREVRANK', b.prefix .. ':seq:' .. r.group, r.id) or 0) ~= 0
        if behind == (r.ExpiresAt ~= nil) then
            local text = behind and 'expires while others wait behind it' or 'holds nothing, and never expires'
            add(wrong, 'ExpiresAt', text)
        end
        if behind ~= (placed(b, 'blocked', r.id) ~= nil) then
            add(wrong, 'blocked', behind and 'others wait behind it, and it is not there' or 'nothing waits behind it')
        end
    end

    -- A follower, until its leader's execution has ended: the leader runs, and lists it.
    local function check_follower(b, r, wrong)
        if r.Status ~= 'Merged' or r.ExpiresAt then return end
        local leader = call('HMGET', b.ops .. (r.GroupLeaderId or ''), 'Status', 'token')
        local group = (r.GroupLeaderId or '') .. '-' .. integer(tonumber(leader[2] or 0) % ATTEMPTS)
        if leader[1] ~= 'Running' or group ~= r.ExecutionGroup then
            add(wrong, 'group', 'is Merged, and its leader does not run it')
        elseif not call('LPOS', b.prefix .. ':group:' .. group, r.id) then
            add(wrong, 'group', 'is Merged, and its group does not list it')
        end
    end

    local function check_name(b, r, wrong)
        if not r.Name then return end
        local text = call('HGET', b.prefix .. ':names', r.Name)
        for _, holder in ipairs(text and cjson.decode(text) or {}) do
            if holder[1] == r.id then return end
        end
        add(wrong, 'names', 'its Name is not there')
    end

    local function check_fields(b, r, wrong)
        local ended = r.Status == 'Complete' or r.Status == 'Canceled'      -- of Merged: check_follower
        if not STATUSES[r.Status] then return add(wrong, 'Status', 'is no status: ' .. r.Status) end
        if call('HEXISTS', b.prefix .. ':types', r.Type) == 0 then add(wrong, 'Type', 'is not known: ' .. r.Type) end
        if ended and not r.ExpiresAt then add(wrong, 'ExpiresAt', 'is ' .. r.Status .. ', and never expires') end
        if (r.Status == 'Error') ~= (r.Error ~= nil) then
            add(wrong, 'Error', r.Error and 'has an error and is ' .. r.Status or 'has no text')
        end
        local needed = r.large and r.Status ~= 'Complete' and r.Status ~= 'Merged'
        if needed and call('EXISTS', b.prefix .. ':in:' .. r.id) == 0 then
            add(wrong, 'in', 'its payload is lost')
        end
        if call('HEXISTS', b.prefix .. ':parked', r.id) == 1 then
            add(wrong, 'parked', 'entries of the status log lie there for it')
        end
    end

    local function check_record(b, r)
        local wrong = {}
        check_fields(b, r, wrong)
        if not STATUSES[r.Status] then return wrong end
        check_places(b, r, wrong)
        check_lease(b, r, wrong)
        check_hold(b, r, wrong)
        check_follower(b, r, wrong)
        check_name(b, r, wrong)
        return wrong
    end

    -- ---- the other way round ----

    -- Why a member should not be in an index; nil: it should, or is not.
    local function check_member(b, index, id)
        if not placed(b, index, id) then return nil end
        if index == 'parked' then
            return not placed(b, 'parked_at', id) and 'is not in parked_at: it would lie there for ever' or nil
        elseif index == 'parked_at' then
            return not placed(b, 'parked', id) and 'nothing lies parked for it' or nil
        end
        local r = load(b, id)
        if not r then return 'there is no such operation' end
        if index:find('^aside:') then return nil end            -- may have gone another way since
        local want, may = places(b, r)
        if not want[index] and not may[index] then return 'is ' .. r.Status .. ' and belongs elsewhere' end
    end

    -- A sequence group: is its first ready member, and nobody else, let go?
    local function check_group(b, name)
        local p = b.prefix
        local busy = call('EXISTS', p .. ':seq_active:' .. name) == 1 or call('HEXISTS', p .. ':seq_failing', name) == 1
        local first = call('ZRANGE', p .. ':seq:' .. name, 0, 0)[1]
        local status = first and call('HGET', b.ops .. first, 'Status')
        local ready = not busy and (status == 'New' or status == 'Waiting') and first or nil
        local released = call('HGET', p .. ':seq_released', name) or nil
        if released ~= ready then
            return 'lets ' .. (released or 'nobody') .. ' go instead of ' .. (ready or 'nobody')
        end
    end

    -- A lane: does nobody wait for a turn while nobody has it?
    local function check_lane(b, name)
        local out = call('EXISTS', b.prefix .. ':lane_out:' .. name) == 1
        if call('EXISTS', b.prefix .. ':lane:' .. name) == 1 and not out then return 'lets nobody go' end
    end

    -- Keys that go with something else: answers why this one should not be, or nil.
    local KEYS_OF = {
        op = {'in', 'out', 'tries', 'commands'},
    }
    local function check_key(b, name)
        local kind, of = name:match('^([^:]+):(.*)$')
        if call('EXISTS', b.prefix .. ':' .. name) == 0 then return nil end
        for _, companion in ipairs(KEYS_OF.op) do
            if kind == companion and call('EXISTS', b.ops .. of) == 0 then return 'there is no such operation' end
        end
        if kind == 'group' then
            local leader = call('HMGET', b.ops .. of:sub(1, ID_SIZE), 'Status', 'token')
            local attempt = integer(tonumber(leader[2] or 0) % ATTEMPTS)
            return (leader[1] ~= 'Running' or attempt ~= of:sub(ID_SIZE + 2)) and 'its leader does not run' or nil
        end
        if kind == 'done' and call('SISMEMBER', b.prefix .. ':retentions', of) == 0 then
            return 'is not in retentions: nothing of it would expire'
        elseif kind == 'w' and not call('ZSCORE', b.prefix .. ':workers', of) then
            return 'is not in workers: it would never be forgotten'
        elseif kind == 'worker' and not call('ZSCORE', b.prefix .. ':uris', of) then
            return 'is not in uris: it would never be swept'
        elseif kind == 'aside' and call('HEXISTS', b.prefix .. ':paused', of) == 0 and
            not call('ZSCORE', b.prefix .. ':resuming', of) then
            return 'is neither paused nor being resumed: nothing of it would be put back'
        end
    end

    -- ---- bgop_check ----

    local function position_of(b, name)
        if call('EXISTS', b.prefix .. ':' .. name) == 0 then return '0-0' end
        local about = call('XINFO', 'STREAM', b.prefix .. ':' .. name)
        for i = 1, #about, 2 do
            if about[i] == 'last-generated-id' then return about[i + 1] end
        end
    end

    local function check_records(b, args, answer)
        answer[1] = position_of(b, 'changes')
        for i = 2, #args do
            local r, n = load(b, args[i]), #answer
            local wrong = r and check_record(b, r) or {}
            answer[n + 1], answer[n + 2], answer[n + 3] = args[i], r and r.Type or '', r and r.Status or ''
            answer[n + 4], answer[n + 5] = r and r.ExpiresAt and '1' or '0', r and r.SystemModstamp or '0'
            answer[n + 6] = #wrong / 2
            for w = 1, #wrong do answer[n + 6 + w] = wrong[w] end
        end
    end

    local function add_wrong(answer, subject, index, text)
        if not text then return end
        answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = subject, index, text
    end

    local function check_counts(b, _, answer)
        local all = call('HGETALL', b.prefix .. ':counts')
        answer[1], answer[2] = position_of(b, 'changes'), position_of(b, 'deleted')
        for i = 1, #all, 2 do
            if all[i]:find(':', 1, true) then answer[#answer + 1], answer[#answer + 2] = all[i], all[i + 1] end
        end
    end

    local MODES = {
        counts = check_counts,
        records = check_records,
        members = function(b, args, answer)
            for i = 3, #args do add_wrong(answer, args[i], args[2], check_member(b, args[2], args[i])) end
        end,
        groups = function(b, args, answer)
            for i = 2, #args do add_wrong(answer, args[i], 'seq_released', check_group(b, args[i])) end
        end,
        lanes = function(b, args, answer)
            for i = 2, #args do add_wrong(answer, args[i], 'lane_out', check_lane(b, args[i])) end
        end,
        keys = function(b, args, answer)
            for i = 2, #args do add_wrong(answer, args[i], args[i], check_key(b, args[i])) end
        end,
    }

    local function check(keys, args)
        call = redis.call
        if #keys ~= 1 then return invalid('one key expected: bgop:{<shard>}') end
        if not MODES[args[1]] then return invalid('what: %s', tostring(args[1])) end
        if args[1] == 'members' and not kind_of(args[2] or '') then return invalid('index: %s', tostring(args[2])) end
        if #args > MAX_ITEMS + 2 then return invalid('subjects: more than %d', MAX_ITEMS) end
        local g = call('HMGET', keys[1] .. ':gate', 'run', 'mode')
        if g[1] ~= run_id() or g[2] ~= 'OPEN' then return refuse('RECOVERING the shard is not open') end
        local b, answer = {prefix = keys[1], ops = keys[1] .. ':op:'}, {}
        MODES[args[1]](b, args, answer)
        return answer
    end

    redis.register_function{function_name = 'bgop_check', callback = check, flags = {'no-writes'}}

    agreement.load, agreement.places, agreement.kind_of = load, places, kind_of
    agreement.record, agreement.member, agreement.key = check_record, check_member, check_key
    agreement.group, agreement.lane = check_group, check_lane
end
