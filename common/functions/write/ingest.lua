-- bgop_ingest: records submissions, and moves the fences of the partitions they came from, in one call.
--   keys  1 shard prefix
--   args  generation, m, (partition, from, next, fp_offset, fp_crc, fp_timestamp) x m, rejected, by columns:
--         (Id, Type, ParentKey, Name, ProcessAfter, RetryBackoff, RetryLimit, Timeout, SequenceGroup, SequenceNumber,
--         crc, SubmittedAt, content, traceparent, payload)*
--   ->    OK, now, (Type, Ids to hint)*  |  FENCE, (partition, next, fp_offset, fp_crc, fp_timestamp)* of the fences
--         that do not stand where their move begins  |  REJECT, (Id, reason)* of the operations that cannot be recorded
-- All or nothing: FENCE and REJECT change nothing. The caller sees to it that a reject is told, and calls again without
-- the operation: were the fence moved in the call that finds it, who dies in between would have told nobody.
-- SubmittedAt: empty, or when the message says it was made (a replay: now would be after the operation's own end).
-- Open and recovering. Error OOM: four fifths of maxmemory are used, and this queue is open; moves alone pass.
local FENCE_NONE = '0 -1 0 0'

local function fence_read(text) return (text or FENCE_NONE):match('^(%d+) (%-?%d+) (%d+) (%d+)$') end

-- The last four of (from, next, fp_offset, fp_crc, fp_timestamp) at i, as the fence stores them; nil: not numbers.
local function fence_move(args, i)
    local from, to = args[i + FENCE_MOVE.FROM], args[i + FENCE_MOVE.NEXT]
    local move = table.concat(args, ' ', i + FENCE_MOVE.NEXT, i + FENCE_MOVE.FP_TIMESTAMP)
    if whole(from) and whole(to) and tonumber(from) <= tonumber(to) and
        move:find('^%d+ %-?%d+ %d+ %-?%d+$') then
        return (move:gsub(' %-%d+$', ' 0'))
    end
end

do
    local INLINE_BYTES = 1024

    -- Of digits only, and no more than a number may have. A checksum is stored as it comes and never counted with.
    local function is_digits(text) return text and text ~= '' and #text <= 16 and not text:find('%D') end
    local function is_optional(text) return text == '' or text == '-1' or is_digits(text) end

    -- What each field has to be, and how it is called when it is not.
    local RIGHT = {
        {OP.ID, 'Id', function(text) return #text == ID_SIZE end},
        {OP.TYPE, 'Type', function(text) return text ~= '' end},
        {OP.PROCESS_AFTER, 'number', is_optional}, {OP.RETRY_BACKOFF, 'number', is_optional},
        {OP.RETRY_LIMIT, 'number', is_optional}, {OP.TIMEOUT, 'number', is_optional},
        {OP.SEQUENCE_NUMBER, 'number', is_optional}, {OP.CRC, 'crc', is_digits},
        {OP.SUBMITTED_AT, 'SubmittedAt', function(text) return text == '' or is_digits(text) end},
    }

    -- Whoever is in a sequence group has a number there.
    local function check_sequences(ops, args)
        local group, number = ops.at[OP.SEQUENCE_GROUP], ops.at[OP.SEQUENCE_NUMBER]
        if not group and ops.value[OP.SEQUENCE_GROUP] == '' then return nil end
        for i = ops.first, #args, ops.width do
            local text = number and args[i + number] or not number and ops.value[OP.SEQUENCE_NUMBER]
            if (not group or args[i + group] ~= '') and not is_digits(text) then return 'SequenceNumber: ' .. text end
        end
    end

    -- Column by column: what is the same for all is looked at once.
    local function check_ops(ops, args)
        if ops.count == 0 then return nil end
        if not ops.at[OP.ID] then return 'Id: not of each' end
        for _, right in ipairs(RIGHT) do
            local place, is_right = ops.at[right[1]], right[3]
            if not place then
                local text = ops.value[right[1]]
                if not is_right(text) then return right[2] .. ': ' .. (text == '' and 'empty' or text) end
            else
                for i = ops.first + place, #args, ops.width do
                    local text = args[i]
                    if not is_right(text) then return right[2] .. ': ' .. (text == '' and 'empty' or text) end
                end
            end
        end
        return check_sequences(ops, args)
    end

    -- Why these arguments are wrong; nil: they are not. Answers the operations' columns, and how the fences will be.
    local function check(args)
        local m = whole(args[INGEST.MOVES])
        if not m or #args < INGEST.SIZE + m * MOVE.SIZE + 1 then return 'moves: ' .. tostring(args[INGEST.MOVES]) end
        local moves, rejected = {}, INGEST.SIZE + m * MOVE.SIZE + 1
        for i = INGEST.SIZE + 1, rejected - 1, MOVE.SIZE do
            local partition = args[i + MOVE.PARTITION]
            local move = whole(partition) and fence_move(args, i + MOVE.FROM)
            if not move then return 'move of partition ' .. partition end
            moves[#moves + 1], moves[#moves + 2] = 's' .. partition, move
        end
        if not whole(args[rejected]) then return 'rejected: ' .. args[rejected] end
        local ops = columns_of(args, rejected + 1, OP.SIZE)
        if not ops then return 'operations: incomplete' end
        if ops.count > MAX_ITEMS then return 'operations: more than ' .. MAX_ITEMS end
        return check_ops(ops, args), ops, moves
    end

    -- The fences that do not stand where their move begins, as an answer; nil: all do.
    local function fences_refused(b, args)
        local fields = {}
        for i = INGEST.SIZE + 1, INGEST.SIZE + tonumber(args[INGEST.MOVES]) * MOVE.SIZE, MOVE.SIZE do
            fields[#fields + 1] = 's' .. args[i + MOVE.PARTITION]
        end
        if not fields[1] then return nil end
        local stored, refused = call('HMGET', b.prefix .. KEY.FENCES, unpack(fields)), {'FENCE'}
        for n, text in ipairs(stored) do
            local i = INGEST.SIZE + 1 + (n - 1) * MOVE.SIZE
            local position, offset, crc, timestamp = fence_read(text)
            if tonumber(position) ~= tonumber(args[i + MOVE.FROM]) then
                local at = #refused + 1
                refused[at + FENCE_AT.PARTITION], refused[at + FENCE_AT.NEXT] = args[i + MOVE.PARTITION], position
                refused[at + FENCE_AT.FP_OFFSET], refused[at + FENCE_AT.FP_CRC] = offset, crc
                refused[at + FENCE_AT.FP_TIMESTAMP] = timestamp
            end
        end
        return refused[2] and refused or nil
    end

    -- ---- one operation ----

    local fields = {}                           -- reused: an HSET's arguments

    local function add_given(n, name, text, default)
        if text == '-1' or default and tonumber(text) == default then return n end
        fields[n + 1], fields[n + 2] = name, text
        return n + 2
    end

    local function more_of(settings, op)
        local laned = op[1 + OP.PARENT_KEY] ~= '' and lane_is_of(settings)
        if op[1 + OP.SEQUENCE_GROUP] ~= '' then return laned and 'sl' or 's' end
        return laned and 'l' or '1'
    end

    -- What few operations have. What a claim needs stands behind `more`, which makes it look: p, for a ParentKey alone.
    local function add_options(n, settings, op)
        if settings.version ~= '1' then n = add_given(n, 'v', settings.version) end
        local name, after, backoff = op[1 + OP.NAME], op[1 + OP.PROCESS_AFTER], op[1 + OP.RETRY_BACKOFF]
        local limit, parent, timeout = op[1 + OP.RETRY_LIMIT], op[1 + OP.PARENT_KEY], op[1 + OP.TIMEOUT]
        local group, number = op[1 + OP.SEQUENCE_GROUP], op[1 + OP.SEQUENCE_NUMBER]
        local trace, bytes = op[1 + OP.TRACEPARENT], #op[1 + OP.PAYLOAD]
        if name ~= '' then n = add_given(n, 'Name', name) end
        if after ~= '' then n = add_given(n, 'ProcessAfter', after) end
        if backoff ~= '' then n = add_given(n, 'RetryBackoff', backoff, settings.retry_backoff_ms) end
        if limit ~= '' then n = add_given(n, 'RetryLimit', limit, settings.retry_limit) end
        local more = n
        fields[n + 1], fields[n + 2], n = 'more', more_of(settings, op), n + 2
        if parent ~= '' then n = add_given(n, 'ParentKey', parent) end
        local parented = n
        if timeout ~= '' then n = add_given(n, 'Timeout', timeout, settings.timeout_ms) end
        if group ~= '' then n = add_given(n, 'SequenceGroup', group) end
        if number ~= '' then n = add_given(n, 'SequenceNumber', number) end
        if trace ~= '' then n = add_given(n, 'trace', trace) end
        if bytes > INLINE_BYTES then n = add_given(n, 'large', integer(bytes)) end
        if n == parented and fields[more + 2] == '1' then fields[more + 2] = 'p' end
        return n > more + 2 and n or more
    end

    local function submitted_at(b, op)
        local given = op[1 + OP.SUBMITTED_AT]
        return (given == '' or tonumber(given) > b.now) and b.now_text or given
    end

    -- What all have. Answers how many places of `fields` are taken.
    local function add_common(b, status, type, submitted, crc, payload)
        fields[1], fields[2], fields[3], fields[4] = 'Status', status, 'SystemModstamp', b.now_text
        fields[5], fields[6], fields[7], fields[8] = 'Type', type, 'SubmittedAt', submitted
        fields[9], fields[10] = 'crc', crc
        if payload == '' or #payload > INLINE_BYTES then return 10 end
        fields[11], fields[12] = 'in', payload
        return 12
    end

    -- What is specific to it: absent is what is null, the Type's default (of version `v`), or derived. op: a columns_row.
    local function record_create(b, record, settings, status, submitted, op)
        local payload = op[1 + OP.PAYLOAD]
        local n = add_common(b, status, op[1 + OP.TYPE], submitted, op[1 + OP.CRC], payload)
        n = add_options(n, settings, op)
        if #payload > INLINE_BYTES then call('SET', b.prefix .. KEY.IN .. op[1 + OP.ID], payload) end
        call('HSET', record, unpack(fields, 1, n))
    end

    local function op_create(b, record, settings, op)
        local id, type, after = op[1 + OP.ID], op[1 + OP.TYPE], tonumber(op[1 + OP.PROCESS_AFTER]) or 0
        local parent, group = op[1 + OP.PARENT_KEY], op[1 + OP.SEQUENCE_GROUP]
        local status, sequence = after > b.now and 'Scheduled' or 'New', nil
        local lane = parent ~= '' and lane_is_of(settings) and lane_name(type, parent) or nil
        if group ~= '' then
            sequence = sequence_name(type, parent, group)
            if status == 'New' and b.open[sequence] ~= id then status = 'Waiting' end
        end
        local waits = lane and status == 'New' and not lane_admit(b, type, lane, id)
        if waits then status = 'Waiting' end
        local submitted = submitted_at(b, op)
        record_create(b, record, settings, status, submitted, op)
        moved(b, type, id, '', status)
        if parent ~= '' then
            add_to(b.parents, parent, submitted)
            add_to(b.parents, parent, id)
        end
        if sequence and status ~= 'Scheduled' then return end       -- sequence_settle.lua releases it
        if waits then return lane_wait(b, lane, id) end
        if status == 'New' then return release(b, type, id) end
        b.due_add[#b.due_add + 1] = op[1 + OP.PROCESS_AFTER]
        b.due_add[#b.due_add + 1] = id
    end

    -- ---- most of them: no more than a ParentKey and a Name ----

    local UNUSUAL = {OP.PROCESS_AFTER, OP.RETRY_BACKOFF, OP.RETRY_LIMIT, OP.TIMEOUT, OP.SEQUENCE_GROUP,
                     OP.SEQUENCE_NUMBER, OP.SUBMITTED_AT, OP.TRACEPARENT}

    local function are_plain(ops)
        for _, field in ipairs(UNUSUAL) do
            if ops.at[field] or ops.value[field] ~= '' then return false end
        end
        return true
    end

    -- As op_create, for one that can only be New and claimable.
    local function plain_create(b, record, settings, id, type, parent, name, crc, payload)
        local n, large = add_common(b, 'New', type, b.now_text, crc, payload), #payload > INLINE_BYTES
        if settings.version ~= '1' then n = add_given(n, 'v', settings.version) end
        if name ~= '' then n = add_given(n, 'Name', name) end
        if parent ~= '' or large then n = add_given(n, 'more', large and '1' or 'p') end
        if parent ~= '' then
            n = add_given(n, 'ParentKey', parent)
            add_to(b.parents, parent, b.now_text)
            add_to(b.parents, parent, id)
        end
        if large then
            n = add_given(n, 'large', integer(#payload))
            call('SET', b.prefix .. KEY.IN .. id, payload)
        end
        call('HSET', record, unpack(fields, 1, n))
    end

    local function plain_create_all(b, ops, args, plan)
        local settings, at, value, last = b.types.current, ops.at, ops.value, nil
        local type_at, parent_at, name_at = at[OP.TYPE], at[OP.PARENT_KEY], at[OP.NAME]
        local crc_at, payload_at = at[OP.CRC], at[OP.PAYLOAD]
        local type, parent, name = value[OP.TYPE], value[OP.PARENT_KEY], value[OP.NAME]
        local crc, payload = value[OP.CRC], value[OP.PAYLOAD]
        for n, i in ipairs(plan.create) do
            local id, record = plan.created[n], plan.records[n]
            if type_at then type = args[i + type_at] end
            if parent_at then parent = args[i + parent_at] end
            if name_at then name = args[i + name_at] end
            if crc_at then crc = args[i + crc_at] end
            if payload_at then payload = args[i + payload_at] end
            if parent ~= '' and lane_is_of(settings[type]) then
                op_create(b, record, settings[type], columns_row(ops, args, i))
            else
                plain_create(b, record, settings[type], id, type, parent, name, crc, payload)
                if type ~= last then
                    plan.new, plan.free, last = moved_ids(b, type, '', 'New'), released_ids(b, type), type
                end
                plan.new[#plan.new + 1], plan.free[#plan.free + 1] = id, id
            end
        end
    end

    -- ---- all of them ----

    local function said(ops, args, i, field)
        local place = ops.at[field]
        return place and args[i + place] or not place and ops.value[field]
    end

    -- Why this one cannot be recorded, or whether it is a duplicate; neither: it is to be. i: where its row begins.
    local function op_judge(b, plan, ops, args, i, record)
        local id, type, name = said(ops, args, i, OP.ID), said(ops, args, i, OP.TYPE), said(ops, args, i, OP.NAME)
        if plan.known and call('EXISTS', record) == 1 then
            local duplicate = call('HGET', record, 'crc') == said(ops, args, i, OP.CRC)
            return not duplicate and 'Id ' .. id .. ' is held by another submission', duplicate
        end
        if not b.types.current[type] then return "Type: '" .. type .. "' is not known to this queue" end
        if name == '' then return nil, false end
        local content, parent = said(ops, args, i, OP.CONTENT), said(ops, args, i, OP.PARENT_KEY)
        local group = said(ops, args, i, OP.SEQUENCE_GROUP)
        local holder = name_take(plan, id, type, parent ~= '' and parent or group ~= '' and group or name, name, content)
        if not holder then return nil, false end
        if holder[HOLDER.CONTENT] == content then return nil, true end
        return "Name: '" .. name .. "' is held by " .. holder[HOLDER.ID] .. ' with other content'
    end

    local function plan_add(plan, i, id, record)
        local n = #plan.create + 1
        plan.create[n], plan.created[n], plan.records[n] = i, id, record
    end

    -- What is to become of the operations. Changes nothing.
    local function ops_judge(b, ops, args)
        local records, refused, id_at, value = {}, {}, ops.at[OP.ID], ops.value
        for n = 1, ops.count do records[n] = b.ops .. args[ops.first + (n - 1) * ops.width + id_at] end
        local plan = {create = {}, created = {}, records = {}, refused = refused, duplicates = 0,
                      known = records[1] and call('EXISTS', unpack(records)) > 0,
                      names = names_read(b, ops, args), taken = {}}
        -- Nobody can stand against these:
        local free = not plan.known and not ops.at[OP.NAME] and value[OP.NAME] == '' and b.types.current[value[OP.TYPE]]
        for n, record in ipairs(records) do
            local i = ops.first + (n - 1) * ops.width
            local reason, duplicate
            if not free then reason, duplicate = op_judge(b, plan, ops, args, i, record) end
            if duplicate then
                plan.duplicates = plan.duplicates + 1
            elseif reason then
                local at = #refused + 1
                refused[at + REJECT.ID], refused[at + REJECT.REASON] = args[i + id_at], reason
            else
                plan_add(plan, i, args[i + id_at], record)
            end
        end
        return plan
    end

    -- Members of sequence groups come last, when their groups know all of this call.
    local function members_create(b, ops, args, plan, members)
        if not members[1] then return end
        local names, known = {}, {}
        for _, n in ipairs(members) do
            local op = columns_row(ops, args, plan.create[n])
            local name = sequence_name(op[1 + OP.TYPE], op[1 + OP.PARENT_KEY], op[1 + OP.SEQUENCE_GROUP])
            sequence_add(b, name, op[1 + OP.SEQUENCE_NUMBER], op[1 + OP.ID])
            if not known[name] then names[#names + 1], known[name] = name, true end
        end
        b.open = sequences_open(b, names)
        for _, n in ipairs(members) do
            local op = columns_row(ops, args, plan.create[n])
            op_create(b, plan.records[n], b.types.current[op[1 + OP.TYPE]], op)
        end
    end

    local function ops_create(b, ops, args, plan)
        local members = {}
        names_write(b, plan)
        if plan.duplicates > 0 then count_total(b, 'duplicates', plan.duplicates) end
        if are_plain(ops) then return plain_create_all(b, ops, args, plan) end
        for n, i in ipairs(plan.create) do
            local op = columns_row(ops, args, i)
            if op[1 + OP.SEQUENCE_GROUP] == '' then
                op_create(b, plan.records[n], b.types.current[op[1 + OP.TYPE]], op)
            else
                members[#members + 1] = n
            end
        end
        members_create(b, ops, args, plan, members)
    end

    local function answer_rejects(refused)
        local answer = {'REJECT'}
        for n, text in ipairs(refused) do answer[n + 1] = text end
        return answer
    end

    local function ingest(keys, args)
        local gate, refusal = gate_pass(keys, args, false)
        if not gate then return refusal end
        local wrong, ops, moves = check(args)
        if wrong then return invalid('%s', wrong) end
        if gate.pressure == '2' and gate.mode == 'OPEN' and ops.count > 0 then
            return refuse('OOM more than 80% of maxmemory is used: intake waits')
        end
        local b = batch_open(gate)
        local refused_fences = fences_refused(b, args)
        if refused_fences then return refused_fences end

        local plan = ops_judge(b, ops, args)
        if plan.refused[1] then return answer_rejects(plan.refused) end
        ops_create(b, ops, args, plan)
        local created, rejected = plan.created, tonumber(args[INGEST.SIZE + #moves / 2 * MOVE.SIZE + 1])
        if moves[1] then call('HSET', b.prefix .. KEY.FENCES, unpack(moves)) end
        if rejected > 0 then count_total(b, 'rejected', rejected) end
        if created[1] then
            count_total(b, 'accepted', #created)
            call('XADD', b.prefix .. KEY.BORN, b.stream_id, 'ids', table.concat(created, ' '))
            flush(b)
            b.cancels = true
            park_take(b, created, parked_apply)
        end
        finish(b)
        return batch_answer(b, answer_ok(b.now))
    end

    redis.register_function('bgop_ingest', ingest)
end
