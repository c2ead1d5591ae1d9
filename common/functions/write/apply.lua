-- bgop_apply: one batch of the shard's status log (outcomes, verdicts, commands), and the move of its fence.
--   keys  1 shard prefix
--   args  generation, from, next, fp_offset, fp_crc, fp_timestamp, by columns: (kind, Id, token, StartedAt, duration_ms, WorkerUri,
--         text, retry_after_ms, result, leader Id, command id)*
--   ->    OK, now, (Type, Ids to hint)*  |  FENCE, next, fp_offset, fp_crc, fp_timestamp
-- Open and recovering.
do
    local function check_kinds(entries, args)
        local place = entries.at[ENTRY.KIND]
        for i = entries.first, place and #args or 0, entries.width do
            local kind = args[i + place]
            if not OUTCOMES[kind] and not COMMANDS[kind] and not PAUSES[kind] then return 'kind: ' .. kind end
        end
        local kind = entries.value[ENTRY.KIND]
        if not place and not OUTCOMES[kind] and not COMMANDS[kind] and not PAUSES[kind] then return 'kind: ' .. kind end
    end

    local function check_pause(row)
        local no_parent, no_type = row[1 + PAUSE.PARENT_KEY] == '', row[1 + PAUSE.TYPE] == ''
        if row[1 + PAUSE.NO_ID] ~= '' or no_parent == no_type then return 'pause: of a Type or of a ParentKey' end
    end

    local function check(args)
        if #args < APPLY.SIZE or not fence_move(args, APPLY.FROM) then return 'move of the status fence' end
        local entries = columns_of(args, APPLY.SIZE + 1, ENTRY.SIZE)
        if not entries then return 'entries: incomplete' end
        if entries.count > MAX_ITEMS then return 'entries: more than ' .. MAX_ITEMS end
        if entries.count == 0 then return nil, entries end
        local wrong = check_kinds(entries, args)
        if wrong then return wrong end
        local at, value = entries.at, entries.value
        for i = entries.first, #args, entries.width do
            local kind = at[ENTRY.KIND] and args[i + at[ENTRY.KIND]] or value[ENTRY.KIND]
            local id = at[ENTRY.ID] and args[i + at[ENTRY.ID]] or value[ENTRY.ID]
            local token = at[ENTRY.TOKEN] and args[i + at[ENTRY.TOKEN]] or value[ENTRY.TOKEN]
            wrong = PAUSES[kind] and check_pause(columns_row(entries, args, i))
            if wrong then return wrong end
            if #id ~= ID_SIZE and not PAUSES[kind] then return 'Id: ' .. id end
            if not whole(token) then return 'token: ' .. token end
        end
        return nil, entries
    end

    -- Type, payload, lane and group of a lease under this token, nil: it is another's, or its end concerns others than its
    -- lane, its sequence group and its followers.
    -- Leases of a batch are alike; what this call knows of one it knows of all with its text.
    local function lease_read(known, lease, token)
        local read = known[lease]
        if read == nil then
            local own, type, marks, parent = lease:match('^(%S+) %S+ %S+ (%S+) (%S+) ?(.*)$')
            local payload, mark, leads = (marks or ''):match('^(.)([sl]?)([ge]?)$')
            if mark == 's' and leads ~= '' then payload = nil end
            read = payload and {token = own, type = type, payload = payload, sequenced = mark == 's',
                                leads = leads ~= '' and leads, lane = mark == 'l' and lane_name(type, parent) or nil}
            known[lease] = read or false
        end
        return read and read.token == token and read
    end

    -- What those that end under such a lease have in common, until the next flush.
    local function lease_keep(b, read)
        if read.writes == b.writes then return end
        read.writes, read.retention = b.writes, retention_of(b, read.type, 'Complete')
        read.moved, read.done = moved_ids(b, read.type, 'Running', 'Complete'), done_ids(b, read.retention)
    end

    -- The usual case, a success of what runs under this very token, needs nothing of the record: the lease says it. As
    -- end_complete (change.lua).
    local function complete(b, read, id, started, duration, result)
        local finished, now = b.now, b.now_text
        started, duration = whole(started), whole(duration)
        if started and duration then
            finished = math.min(started + duration, b.now)
            stat_time(b, 'r', duration)
        end
        lease_keep(b, read)
        b.touched[id] = b.writes
        local finished_at, expires_at = time_text(b, finished), time_text(b, finished + read.retention * 1000)
        if read.payload == 'p' then
            call('HSET', b.ops .. id, 'Status', 'Complete', 'SystemModstamp', now, 'FinishedAt', finished_at,
                 'ExpiresAt', expires_at, 'in', '')
        else
            call('HSET', b.ops .. id, 'Status', 'Complete', 'SystemModstamp', now, 'FinishedAt', finished_at,
                 'ExpiresAt', expires_at)
            if read.payload == 'L' then b.unneeded[#b.unneeded + 1] = b.prefix .. KEY.IN .. id end
        end
        if result ~= '' then call('SET', b.prefix .. KEY.OUT .. id, result) end
        if b.cancels then cancel_remove(b, id) end
        read.moved[#read.moved + 1], read.done[#read.done + 1] = id, id
        if read.lane then lane_done(b, read.lane, id) end
        if read.sequenced then sequence_ended(b, id) end
    end

    -- A field of entry n.
    local function field(entries, args, n, name)
        local place = entries.at[name]
        return place and args[entries.first + (n - 1) * entries.width + place] or not place and entries.value[name]
    end

    -- When the attempt of entry n ended, and how long it took; nil: the entry does not say.
    local function times_of(b, entries, args, n)
        local started = whole(field(entries, args, n, ENTRY.STARTED_AT))
        local duration = whole(field(entries, args, n, ENTRY.DURATION))
        if started and duration then return math.min(started + duration, b.now), duration end
    end

    -- A follower's entry n goes into its group, for group_complete, or shows that the group does not end so simply.
    local function group_add(b, group, entries, args, n, id)
        local finished, duration = times_of(b, entries, args, n)
        if field(entries, args, n, ENTRY.KIND) ~= 'ok' or not finished then
            group.spoilt = true
            return
        end
        group.count, group.numbers[#group.numbers + 1] = group.count + 1, n
        group.told[id] = {token = field(entries, args, n, ENTRY.TOKEN), finished = finished, duration = duration,
                          result = field(entries, args, n, ENTRY.RESULT)}
    end

    -- By entry number, followers' and leaders': the groups whose leader's success this call tells behind its followers'.
    -- An Id that is met twice is somebody's whose entries must be applied one after the other: then there are none.
    local function groups_find(b, entries, args, ids, leases, known)
        local of, by_leader, met = {}, {}, {}
        if not entries.at[ENTRY.LEADER_ID] and entries.value[ENTRY.LEADER_ID] == '' then return of end
        for n = #ids, 1, -1 do
            local id, leader = ids[n], field(entries, args, n, ENTRY.LEADER_ID)
            if met[id] then return {} end
            met[id] = true
            local group = by_leader[leader]
            if group then
                of[n] = group
                group_add(b, group, entries, args, n, id)
            elseif leader == id and leases[n] and field(entries, args, n, ENTRY.KIND) == 'ok' then
                local read = lease_read(known, leases[n], field(entries, args, n, ENTRY.TOKEN))
                if read and read.leads then
                    group = {read = read, leader = id, last = n, numbers = {n}, told = {}, count = 0}
                    of[n], by_leader[id], group.spoilt = group, group, not times_of(b, entries, args, n)
                end
            end
        end
        return of
    end

    -- All of a group, at its leader's entry. Answers how many of them were counted here as finished.
    local function group_apply(b, group, entries, args)
        local n, read = group.last, group.read
        local finished, token = times_of(b, entries, args, n), field(entries, args, n, ENTRY.TOKEN)
        if group_complete(b, read.type, group.leader, token, read.leads == 'e', finished, group.told, group.count) then
            complete(b, read, group.leader, field(entries, args, n, ENTRY.STARTED_AT),
                     field(entries, args, n, ENTRY.DURATION), field(entries, args, n, ENTRY.RESULT))
            return 1
        end
        for at = #group.numbers, 1, -1 do
            entry_apply(b, columns_row(entries, args, entries.first + (group.numbers[at] - 1) * entries.width), 1)
        end
        return 0
    end

    local function apply_all(b, entries, args)
        if entries.count == 0 then return end
        local at, value, ids, known, ended = entries.at, entries.value, {}, {}, 0
        for n = 1, entries.count do ids[n] = field(entries, args, n, ENTRY.ID) end
        b.cancels = call('EXISTS', b.prefix .. KEY.CANCELS) == 1
        local leases = call('HMGET', b.prefix .. KEY.LEASES, unpack(ids))
        local groups = groups_find(b, entries, args, ids, leases, known)
        local kind_at, token_at, started_at = at[ENTRY.KIND], at[ENTRY.TOKEN], at[ENTRY.STARTED_AT]
        local duration_at, result_at = at[ENTRY.DURATION], at[ENTRY.RESULT]
        local kind, token, started = value[ENTRY.KIND], value[ENTRY.TOKEN], value[ENTRY.STARTED_AT]
        local duration, result = value[ENTRY.DURATION], value[ENTRY.RESULT]
        for n, id in ipairs(ids) do
            local i = entries.first + (n - 1) * entries.width
            if kind_at then kind = args[i + kind_at] end
            if token_at then token = args[i + token_at] end
            if started_at then started = args[i + started_at] end
            if duration_at then duration = args[i + duration_at] end
            if result_at then result = args[i + result_at] end
            local group = groups[n]
            if group and group.spoilt then group = nil end
            -- What was read above is old for an Id that this call has met before.
            local read = kind == 'ok' and leases[n] and not b.touched[id] and lease_read(known, leases[n], token)
            if group then
                if n == group.last then ended = ended + group_apply(b, group, entries, args) end
            elseif read and not read.leads then
                complete(b, read, id, started, duration, result)
                ended = ended + 1
            else
                entry_apply(b, columns_row(entries, args, i), 1)
            end
        end
        if ended > 0 then count_total(b, 'finished', ended) end
    end

    local function apply(keys, args)
        local gate, refusal = gate_pass(keys, args, false)
        if not gate then return refusal end
        local wrong, entries = check(args)
        if wrong then return invalid('%s', wrong) end
        local b = batch_open(gate)
        local position, offset, crc, timestamp = fence_read(call('HGET', b.prefix .. KEY.FENCES, 't'))
        if tonumber(position) ~= tonumber(args[APPLY.FROM]) then
            return {[REFUSED.SAYS] = 'FENCE', [REFUSED.NEXT] = position, [REFUSED.FP_OFFSET] = offset,
                    [REFUSED.FP_CRC] = crc, [REFUSED.FP_TIMESTAMP] = timestamp}
        end
        apply_all(b, entries, args)
        call('HSET', b.prefix .. KEY.FENCES, 't', fence_move(args, APPLY.FROM))
        finish(b)
        return batch_answer(b, answer_ok(b.now))
    end

    redis.register_function{function_name = 'bgop_apply', callback = apply, flags = {'allow-oom'}}
end
