-- bgop_ingest: records submissions, and moves the fences of the partitions they came from, in one call.
--   keys  1 shard prefix
--   args  generation, m, (partition, from, next, fp_offset, fp_crc, fp_timestamp) x m, rejected,
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

-- Who holds a Name: one of the list that `names` has of it.
local function holder_new(id, type, routing, content)
    return {[HOLDER.ID] = id, [HOLDER.TYPE] = type, [HOLDER.ROUTING] = routing, [HOLDER.CONTENT] = content}
end

do
    local INLINE_BYTES = 1024

    -- Why these arguments are wrong; nil: they are not. Answers where the operations begin, and how the fences will be.
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
        local first = rejected + 1
        if not whole(args[rejected]) then return 'rejected: ' .. args[rejected] end
        local count = (#args - rejected) / OP.SIZE
        if count ~= math.floor(count) then return 'operations: incomplete' end
        if count > MAX_ITEMS then return 'operations: more than ' .. MAX_ITEMS end
        for i = first, #args, OP.SIZE do
            local id, number, crc = args[i + OP.ID], args[i + OP.SEQUENCE_NUMBER], args[i + OP.CRC]
            if #id ~= ID_SIZE then return 'Id: ' .. id end
            if args[i + OP.TYPE] == '' then return 'Type: empty' end
            for n = i + OP.PROCESS_AFTER, i + OP.SEQUENCE_NUMBER do         -- all numbers, but for the group
                local text = args[n]
                if text ~= '' and n ~= i + OP.SEQUENCE_GROUP and text ~= '-1' and not whole(text) then
                    return 'number: ' .. text
                end
            end
            if args[i + OP.SEQUENCE_GROUP] ~= '' and not whole(number) then return 'SequenceNumber: ' .. number end
            if not whole(crc) then return 'crc: ' .. crc end
            local submitted = args[i + OP.SUBMITTED_AT]
            if submitted ~= '' and not whole(submitted) then return 'SubmittedAt: ' .. submitted end
        end
        return nil, first, moves
    end

    -- The fences that do not stand where their move begins, as an answer; nil: all do.
    local function fences_refused(b, args, first)
        local fields = {}
        for i = INGEST.SIZE + 1, first - 2, MOVE.SIZE do fields[#fields + 1] = 's' .. args[i + MOVE.PARTITION] end
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

    -- ---- Names: `names` holds Name -> JSON list of {Id, Type, routing key, content checksum} ----

    local function names_read(b, args, first)
        local wanted, names = {}, {}
        for i = first, #args, OP.SIZE do
            local name = args[i + OP.NAME]
            if name ~= '' then wanted[#wanted + 1] = name end
        end
        if wanted[1] then
            local held = call('HMGET', b.prefix .. KEY.NAMES, unpack(wanted))
            for n, name in ipairs(wanted) do names[name] = names[name] or held[n] and cjson.decode(held[n]) or {} end
        end
        return names
    end

    -- Who holds the Name that this operation wants; nil: it may have it, and is noted as its holder.
    local function name_take(plan, id, type, parent, name, group, content)
        local routing = parent ~= '' and parent or group ~= '' and group or name
        local holders = plan.names[name]
        for _, holder in ipairs(holders) do
            if holder[HOLDER.TYPE] == type and holder[HOLDER.ROUTING] == routing then return holder end
        end
        holders[#holders + 1] = holder_new(id, type, routing, content)
        plan.taken[name] = holders
    end

    local function names_write(b, taken)
        local written = {}
        for name, holders in pairs(taken) do
            written[#written + 1], written[#written + 2] = name, cjson.encode(holders)
        end
        if written[1] then call('HSET', b.prefix .. KEY.NAMES, unpack(written)) end
    end

    -- ---- one operation ----

    local fields = {}                           -- reused: an HSET's arguments

    local function add_given(n, name, text, default)
        if text == '-1' or default and tonumber(text) == default then return n end
        fields[n + 1], fields[n + 2] = name, text
        return n + 2
    end

    local function more_of(settings, args, i)
        local laned = args[i + OP.PARENT_KEY] ~= '' and lane_is_of(settings)
        if args[i + OP.SEQUENCE_GROUP] ~= '' then return laned and 'sl' or 's' end
        return laned and 'l' or '1'
    end

    -- What few operations have. What a claim needs stands behind `more`, which makes it look.
    local function add_options(n, settings, args, i)
        if settings.version ~= '1' then n = add_given(n, 'v', settings.version) end
        local name, after, backoff = args[i + OP.NAME], args[i + OP.PROCESS_AFTER], args[i + OP.RETRY_BACKOFF]
        local limit, parent, timeout = args[i + OP.RETRY_LIMIT], args[i + OP.PARENT_KEY], args[i + OP.TIMEOUT]
        local group, number = args[i + OP.SEQUENCE_GROUP], args[i + OP.SEQUENCE_NUMBER]
        local trace, bytes = args[i + OP.TRACEPARENT], #args[i + OP.PAYLOAD]
        if name ~= '' then n = add_given(n, 'Name', name) end
        if after ~= '' then n = add_given(n, 'ProcessAfter', after) end
        if backoff ~= '' then n = add_given(n, 'RetryBackoff', backoff, settings.retry_backoff_ms) end
        if limit ~= '' then n = add_given(n, 'RetryLimit', limit, settings.retry_limit) end
        local more = n
        fields[n + 1], fields[n + 2], n = 'more', more_of(settings, args, i), n + 2
        if parent ~= '' then n = add_given(n, 'ParentKey', parent) end
        if timeout ~= '' then n = add_given(n, 'Timeout', timeout, settings.timeout_ms) end
        if group ~= '' then n = add_given(n, 'SequenceGroup', group) end
        if number ~= '' then n = add_given(n, 'SequenceNumber', number) end
        if trace ~= '' then n = add_given(n, 'trace', trace) end
        if bytes > INLINE_BYTES then n = add_given(n, 'large', integer(bytes)) end
        return n > more + 2 and n or more
    end

    local function submitted_at(b, args, i)
        local given = args[i + OP.SUBMITTED_AT]
        return (given == '' or tonumber(given) > b.now) and b.now_text or given
    end

    -- What is specific to it: absent is what is null, the Type's default (of version `v`), or derived.
    local function record_create(b, record, settings, status, submitted, args, i)
        local now, payload, n = b.now_text, args[i + OP.PAYLOAD], 10
        fields[1], fields[2], fields[3], fields[4] = 'Status', status, 'SystemModstamp', now
        fields[5], fields[6], fields[7], fields[8] = 'Type', args[i + OP.TYPE], 'SubmittedAt', submitted
        fields[9], fields[10] = 'crc', args[i + OP.CRC]
        if payload ~= '' and #payload <= INLINE_BYTES then fields[11], fields[12], n = 'in', payload, 12 end
        n = add_options(n, settings, args, i)
        if #payload > INLINE_BYTES then call('SET', b.prefix .. KEY.IN .. args[i + OP.ID], payload) end
        call('HSET', record, unpack(fields, 1, n))
    end

    local function op_create(b, record, settings, args, i)
        local id, type, after = args[i + OP.ID], args[i + OP.TYPE], tonumber(args[i + OP.PROCESS_AFTER]) or 0
        local parent, group = args[i + OP.PARENT_KEY], args[i + OP.SEQUENCE_GROUP]
        local status, sequence = after > b.now and 'Scheduled' or 'New', nil
        local lane = parent ~= '' and lane_is_of(settings) and lane_name(type, parent) or nil
        if group ~= '' then
            sequence = sequence_name(type, parent, group)
            if status == 'New' and not sequence_is_open(b, sequence, id) then status = 'Waiting' end
        end
        local waits = lane and status == 'New' and not lane_admit(b, type, lane, id)
        if waits then status = 'Waiting' end
        local submitted = submitted_at(b, args, i)
        record_create(b, record, settings, status, submitted, args, i)
        moved(b, type, id, '', status)
        if parent ~= '' then
            add_to(b.parents, parent, submitted)
            add_to(b.parents, parent, id)
        end
        if sequence and status ~= 'Scheduled' then return end       -- sequence_settle.lua releases it
        if waits then return lane_enter(b, lane, id) end
        if status == 'New' then return release(b, type, id) end
        b.due_add[#b.due_add + 1] = args[i + OP.PROCESS_AFTER]
        b.due_add[#b.due_add + 1] = id
    end

    -- ---- all of them ----

    -- Why this one cannot be recorded, or whether it is a duplicate; neither: it is to be.
    local function op_judge(b, plan, args, i, record)
        local id, type, name = args[i + OP.ID], args[i + OP.TYPE], args[i + OP.NAME]
        if plan.known and call('EXISTS', record) == 1 then
            local duplicate = call('HGET', record, 'crc') == args[i + OP.CRC]
            return not duplicate and 'Id ' .. id .. ' is held by another submission', duplicate
        end
        if not b.types.current[type] then return "Type: '" .. type .. "' is not known to this queue" end
        if name == '' then return nil, false end
        local content = args[i + OP.CONTENT]
        local holder = name_take(plan, id, type, args[i + OP.PARENT_KEY], name, args[i + OP.SEQUENCE_GROUP], content)
        if not holder then return nil, false end
        if holder[HOLDER.CONTENT] == content then return nil, true end
        return "Name: '" .. name .. "' is held by " .. holder[HOLDER.ID] .. ' with other content'
    end

    -- What is to become of the operations from `first` on. Changes nothing.
    local function ops_judge(b, args, first)
        local records, create, created, refused = {}, {}, {}, {}
        for i = first, #args, OP.SIZE do records[#records + 1] = b.ops .. args[i + OP.ID] end
        local plan = {create = create, created = created, refused = refused, duplicates = 0,
                      known = records[1] and call('EXISTS', unpack(records)) > 0,
                      names = names_read(b, args, first), taken = {}}
        for i = first, #args, OP.SIZE do
            local reason, duplicate = op_judge(b, plan, args, i, records[(i - first) / OP.SIZE + 1])
            if duplicate then
                plan.duplicates = plan.duplicates + 1
            elseif reason then
                local at = #refused + 1
                refused[at + REJECT.ID], refused[at + REJECT.REASON] = args[i + OP.ID], reason
            else
                create[#create + 1], created[#created + 1] = i, args[i + OP.ID]
            end
        end
        return plan
    end

    -- Members of sequence groups come last, when their groups know all of this call.
    local function ops_create(b, args, plan)
        local settings, members = b.types.current, {}
        names_write(b, plan.taken)
        for _, i in ipairs(plan.create) do
            local group = args[i + OP.SEQUENCE_GROUP]
            if group == '' then
                op_create(b, b.ops .. args[i + OP.ID], settings[args[i + OP.TYPE]], args, i)
            else
                members[#members + 1] = i
                sequence_add(b, sequence_name(args[i + OP.TYPE], args[i + OP.PARENT_KEY], group),
                             args[i + OP.SEQUENCE_NUMBER], args[i + OP.ID])
            end
        end
        for _, i in ipairs(members) do
            op_create(b, b.ops .. args[i + OP.ID], settings[args[i + OP.TYPE]], args, i)
        end
        if plan.duplicates > 0 then count_total(b, 'duplicates', plan.duplicates) end
    end

    local function answer_rejects(refused)
        local answer = {'REJECT'}
        for n, text in ipairs(refused) do answer[n + 1] = text end
        return answer
    end

    local function ingest(keys, args)
        local gate, refusal = gate_pass(keys, args, false)
        if not gate then return refusal end
        local wrong, first, moves = check(args)
        if wrong then return invalid('%s', wrong) end
        if gate.pressure == '2' and gate.mode == 'OPEN' and #args >= first then
            return refuse('OOM more than 80% of maxmemory is used: intake waits')
        end
        local b = batch_open(gate)
        local refused_fences = fences_refused(b, args, first)
        if refused_fences then return refused_fences end

        local plan = ops_judge(b, args, first)
        if plan.refused[1] then return answer_rejects(plan.refused) end
        ops_create(b, args, plan)
        local created, rejected = plan.created, tonumber(args[first - 1])
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
