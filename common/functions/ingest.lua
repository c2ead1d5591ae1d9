-- bgop_ingest: records submissions, and moves the fences of the partitions they came from, in one call.
--   keys  1 shard prefix
--   args  generation, m, (partition, from, next, fp_offset, fp_crc, fp_timestamp) x m, rejected,
--         (Id, Type, ParentKey, Name, ProcessAfter, RetryBackoff, RetryLimit, Timeout, SequenceGroup, SequenceNumber,
--         crc, content, traceparent, payload)*
--   ->    OK, now, r, (Id, reason) x r, (Type, Ids to hint)*  |  FENCE, (partition, next, fp_offset, fp_crc,
--         fp_timestamp)* of the fences that do not stand where their move begins
-- Open and recovering. Error OOM: four fifths of maxmemory are used, and this queue is open; moves alone pass.
local FENCE_NONE = '0 -1 0 0'

local function fence_read(text) return (text or FENCE_NONE):match('^(%d+) (%-?%d+) (%d+) (%d+)$') end

-- The last four of (from, next, fp_offset, fp_crc, fp_timestamp) at i, as the fence stores them; nil: not numbers.
local function fence_move(args, i)
    local move = table.concat(args, ' ', i + 1, i + 4)
    if whole(args[i]) and whole(args[i + 1]) and tonumber(args[i]) <= tonumber(args[i + 1]) and
        move:find('^%d+ %-?%d+ %d+ %-?%d+$') then
        return (move:gsub(' %-%d+$', ' 0'))
    end
end

do
    local OP_SIZE, INLINE_BYTES = 14, 1024

    -- Why these arguments are wrong; nil: they are not. Answers where the operations begin, and how the fences will be.
    local function check(args)
        local m = whole(args[2])
        if not m or #args < 3 + m * 6 then return 'moves: ' .. tostring(args[2]) end
        local moves = {}
        for i = 3, 2 + m * 6, 6 do
            local move = whole(args[i]) and fence_move(args, i + 1)
            if not move then return 'move of partition ' .. args[i] end
            moves[#moves + 1], moves[#moves + 2] = 's' .. args[i], move
        end
        local first = 4 + m * 6
        if not whole(args[first - 1]) then return 'rejected: ' .. args[first - 1] end
        local count = (#args - first + 1) / OP_SIZE
        if count ~= math.floor(count) then return 'operations: incomplete' end
        if count > MAX_ITEMS then return 'operations: more than ' .. MAX_ITEMS end
        for i = first, #args, OP_SIZE do
            if #args[i] ~= ID_SIZE then return 'Id: ' .. args[i] end
            if args[i + 1] == '' then return 'Type: empty' end
            for n = i + 4, i + 9 do
                local text = args[n]
                if text ~= '' and n ~= i + 8 and text ~= '-1' and not whole(text) then return 'number: ' .. text end
            end
            if args[i + 8] ~= '' and not whole(args[i + 9]) then return 'SequenceNumber: ' .. args[i + 9] end
            if not whole(args[i + 10]) then return 'crc: ' .. args[i + 10] end
        end
        return nil, first, moves
    end

    -- The fences that do not stand where their move begins, as an answer; nil: all do.
    local function fences_refused(b, args, first)
        local fields = {}
        for i = 3, first - 2, 6 do fields[#fields + 1] = 's' .. args[i] end
        if not fields[1] then return nil end
        local stored, refused = call('HMGET', b.prefix .. ':fences', unpack(fields)), {'FENCE'}
        for n, text in ipairs(stored) do
            local i = 3 + (n - 1) * 6
            local position, offset, crc, timestamp = fence_read(text)
            if tonumber(position) ~= tonumber(args[i + 1]) then
                for _, value in ipairs({args[i], position, offset, crc, timestamp}) do refused[#refused + 1] = value end
            end
        end
        return refused[2] and refused or nil
    end

    -- ---- Names: `names` holds Name -> JSON list of {Id, Type, routing key, content checksum} ----

    local function names_read(b, args, first)
        local wanted, names = {}, {}
        for i = first, #args, OP_SIZE do
            if args[i + 3] ~= '' then wanted[#wanted + 1] = args[i + 3] end
        end
        if wanted[1] then
            local held = call('HMGET', b.prefix .. ':names', unpack(wanted))
            for n, name in ipairs(wanted) do names[name] = names[name] or held[n] and cjson.decode(held[n]) or {} end
        end
        return names
    end

    -- Who holds the Name that this operation wants; nil: it may have it, and does from here on.
    local function name_take(b, names, id, type, parent, name, group, content)
        local routing = parent ~= '' and parent or group ~= '' and group or name
        local holders = names[name]
        for _, holder in ipairs(holders) do
            if holder[2] == type and holder[3] == routing then return holder end
        end
        holders[#holders + 1] = {id, type, routing, content}
        call('HSET', b.prefix .. ':names', name, cjson.encode(holders))
    end

    -- ---- one operation ----

    local fields = {}                           -- reused: an HSET's arguments

    local function add_given(n, name, text, default)
        if text == '-1' or default and tonumber(text) == default then return n end
        fields[n + 1], fields[n + 2] = name, text
        return n + 2
    end

    local function more_of(settings, args, i)
        local laned = args[i + 2] ~= '' and lane_is_of(settings)
        if args[i + 8] ~= '' then return laned and 'sl' or 's' end
        return laned and 'l' or '1'
    end

    -- What few operations have. What a claim needs stands behind `more`, which makes it look.
    local function add_options(n, settings, args, i)
        if settings.version ~= '1' then n = add_given(n, 'v', settings.version) end
        if args[i + 3] ~= '' then n = add_given(n, 'Name', args[i + 3]) end
        if args[i + 4] ~= '' then n = add_given(n, 'ProcessAfter', args[i + 4]) end
        if args[i + 5] ~= '' then n = add_given(n, 'RetryBackoff', args[i + 5], settings.retry_backoff_ms) end
        if args[i + 6] ~= '' then n = add_given(n, 'RetryLimit', args[i + 6], settings.retry_limit) end
        local more = n
        fields[n + 1], fields[n + 2], n = 'more', more_of(settings, args, i), n + 2
        if args[i + 2] ~= '' then n = add_given(n, 'ParentKey', args[i + 2]) end
        if args[i + 7] ~= '' then n = add_given(n, 'Timeout', args[i + 7], settings.timeout_ms) end
        if args[i + 8] ~= '' then n = add_given(n, 'SequenceGroup', args[i + 8]) end
        if args[i + 9] ~= '' then n = add_given(n, 'SequenceNumber', args[i + 9]) end
        if args[i + 12] ~= '' then n = add_given(n, 'trace', args[i + 12]) end
        if #args[i + 13] > INLINE_BYTES then n = add_given(n, 'large', integer(#args[i + 13])) end
        return n > more + 2 and n or more
    end

    -- What is specific to it: absent is what is null, the Type's default (of version `v`), or derived.
    local function record_create(b, record, settings, status, args, i)
        local now, payload, n = b.now_text, args[i + 13], 10
        fields[1], fields[2], fields[3], fields[4] = 'Status', status, 'SystemModstamp', now
        fields[5], fields[6], fields[7], fields[8] = 'Type', args[i + 1], 'SubmittedAt', now
        fields[9], fields[10] = 'crc', args[i + 10]
        if payload ~= '' and #payload <= INLINE_BYTES then fields[11], fields[12], n = 'in', payload, 12 end
        n = add_options(n, settings, args, i)
        if #payload > INLINE_BYTES then call('SET', b.prefix .. ':in:' .. args[i], payload) end
        call('HSET', record, unpack(fields, 1, n))
    end

    local function op_create(b, record, settings, args, i)
        local id, type, after = args[i], args[i + 1], tonumber(args[i + 4]) or 0
        local status, sequence = after > b.now and 'Scheduled' or 'New', nil
        local lane = args[i + 2] ~= '' and lane_is_of(settings) and lane_name(type, args[i + 2]) or nil
        if args[i + 8] ~= '' then
            sequence = sequence_name(type, args[i + 2], args[i + 8])
            if status == 'New' and not sequence_is_open(b, sequence, id) then status = 'Waiting' end
        end
        local waits = lane and status == 'New' and not lane_admit(b, type, lane, id)
        if waits then status = 'Waiting' end
        record_create(b, record, settings, status, args, i)
        moved(b, type, id, '', status)
        if args[i + 2] ~= '' then
            add_to(b.parents, args[i + 2], b.now_text)
            add_to(b.parents, args[i + 2], id)
        end
        if sequence and status ~= 'Scheduled' then return end       -- sequence_settle releases it
        if waits then return lane_enter(b, lane, id) end
        if status == 'New' then return release(b, type, id) end
        b.due_add[#b.due_add + 1] = args[i + 4]
        b.due_add[#b.due_add + 1] = id
    end

    -- Members of sequence groups come last, when their groups know all of this call.
    local function members_create(b, args, members)
        for _, i in ipairs(members) do op_create(b, b.ops .. args[i], b.types.current[args[i + 1]], args, i) end
    end

    -- Records the operations from `first` on; answers the Ids created and (Id, reason)* refused.
    local function ops_create(b, args, first)
        local records, created, refused, duplicates, members = {}, {}, {}, 0, {}
        for i = first, #args, OP_SIZE do records[#records + 1] = b.ops .. args[i] end
        local known = records[1] and call('EXISTS', unpack(records)) > 0
        local names = names_read(b, args, first)
        for i = first, #args, OP_SIZE do
            local id, type, name, record = args[i], args[i + 1], args[i + 3], records[(i - first) / OP_SIZE + 1]
            local settings, reason, duplicate = b.types.current[type], nil, false
            if known and call('EXISTS', record) == 1 then
                duplicate = call('HGET', record, 'crc') == args[i + 10]
                reason = not duplicate and 'Id ' .. id .. ' is held by another submission'
            elseif not settings then
                reason = "Type: '" .. type .. "' is not known to this queue"
            elseif name ~= '' then
                local holder = name_take(b, names, id, type, args[i + 2], name, args[i + 8], args[i + 11])
                duplicate = holder and holder[4] == args[i + 11]
                reason = holder and not duplicate and "Name: '" .. name .. "' is held by " .. holder[1] ..
                    ' with other content'
            end
            if duplicate then
                duplicates = duplicates + 1
            elseif reason then
                refused[#refused + 1], refused[#refused + 2] = id, reason
            else
                if args[i + 8] == '' then
                    op_create(b, record, settings, args, i)
                else
                    members[#members + 1] = i
                    sequence_add(b, sequence_name(type, args[i + 2], args[i + 8]), args[i + 9], id)
                end
                created[#created + 1] = id
            end
        end
        members_create(b, args, members)
        if duplicates > 0 then count_total(b, 'duplicates', duplicates) end
        return created, refused
    end

    local function parked_apply(b, entry)
        if entry[1] ~= 'held' then return entry_apply(b, entry, 1) end
        held_again(b, entry[2], entry[3], entry[4], entry[5], entry[6])
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

        local created, refused = ops_create(b, args, first)
        local rejected = tonumber(args[first - 1]) + #refused / 2
        if moves[1] then call('HSET', b.prefix .. ':fences', unpack(moves)) end
        if rejected > 0 then count_total(b, 'rejected', rejected) end
        if created[1] then
            count_total(b, 'accepted', #created)
            call('XADD', b.prefix .. ':born', b.stream_id, 'ids', table.concat(created, ' '))
            flush(b)
            b.cancels = true
            park_take(b, created, parked_apply)
        end
        finish(b)
        local answer = {'OK', b.now, #refused / 2}
        for n, text in ipairs(refused) do answer[n + 3] = text end
        return batch_answer(b, answer)
    end

    redis.register_function('bgop_ingest', ingest)
end
