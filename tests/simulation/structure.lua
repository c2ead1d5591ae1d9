#!lua name=sim
-- What must hold inside a shard after every call, whatever happened before: a library of its own, loaded beside the
-- queue's. sim_cheap: counters against indexes; sim_full: every record against every index, and the other way round.
--   FCALL_RO sim_cheap | sim_full | sim_left 0 bgop:{s} <1: Redis never went backwards> (Type, lane capacity)*
--   FCALL_RO sim_late 0 bgop:{s} <ms: what expired before it should be gone>
-- They answer what is wrong, or ''; sim_left what is not done yet.
local call

local function types_of(args)
    local types, capacity = {}, {}
    for i = 3, #args, 2 do
        types[#types + 1] = args[i]
        capacity[args[i]] = tonumber(args[i + 1])       -- 0: its operations need no lanes
    end
    return types, capacity
end

-- ---- cheap ----

local function cheap(_, args)
    call = redis.call
    local p, n, wrong = args[1], {}, {}
    local counts = call('HGETALL', p .. ':counts')
    for i = 1, #counts, 2 do
        local status = counts[i]:match(':(%a+)$')
        if status then n[status] = (n[status] or 0) + tonumber(counts[i + 1]) end
        if tonumber(counts[i + 1]) < 0 then wrong[#wrong + 1] = counts[i] .. ' ' .. counts[i + 1] end
    end
    local function same(what, a, b) if a ~= b then wrong[#wrong + 1] = what .. ' ' .. a .. ' ~= ' .. b end end
    local pending = 0
    for _, type in ipairs((types_of(args))) do pending = pending + call('ZCARD', p .. ':pending:' .. type) end
    local running, claimable = n.Running or 0, (n.New or 0) + (n.Waiting or 0)
    if pending > claimable then same('pending', pending, claimable) end     -- sequences, lanes and pauses hold some
    same('leases', call('HLEN', p .. ':leases'), running)
    same('running', call('ZCARD', p .. ':running'), running)
    same('errors', call('ZCARD', p .. ':errors'), n.Error or 0)
    return table.concat(wrong, ', ')
end

-- ---- full ----

local function set_of(list)
    local set = {}
    for _, id in ipairs(list) do set[id] = true end
    return set
end

local function hash_of(key)
    local list, hash = call('HGETALL', key), {}
    for i = 1, #list, 2 do hash[list[i]] = list[i + 1] end
    return hash
end

local function zset_of(key) return set_of(call('ZRANGE', key, 0, -1)) end

-- Everything that names operations, read once.
local function indexes_read(p, types)
    local x = {leases = hash_of(p .. ':leases'), running = zset_of(p .. ':running'), errors = zset_of(p .. ':errors'),
               due = zset_of(p .. ':due'), cancels = hash_of(p .. ':cancels'), blocked = zset_of(p .. ':blocked'),
               released = hash_of(p .. ':seq_released'), failing = hash_of(p .. ':seq_failing'), pending = {},
               done = {}, born = {}, aside = {}, seq = {}, seq_active = {}, lanes = {}, lanes_out = {}, wrong = {}}
    for _, type in ipairs(types) do x.pending[type] = zset_of(p .. ':pending:' .. type) end
    for _, retention in ipairs(call('SMEMBERS', p .. ':retentions')) do
        for _, entry in ipairs(call('XRANGE', p .. ':done:' .. retention, '-', '+')) do
            for id in entry[2][2]:gmatch('%S+') do x.done[id] = true end
        end
    end
    for _, entry in ipairs(call('XRANGE', p .. ':born', '-', '+')) do
        for id in entry[2][2]:gmatch('%S+') do
            if x.born[id] then x.wrong[#x.wrong + 1] = id .. ' born twice' end
            x.born[id] = true
        end
    end
    local names = call('HKEYS', p .. ':paused')         -- what lies aside comes back only for these
    for _, name in ipairs(call('ZRANGE', p .. ':resuming', 0, -1)) do names[#names + 1] = name end
    for _, name in ipairs(names) do
        for _, id in ipairs(call('ZRANGE', p .. ':aside:' .. name, 0, -1)) do x.aside[id] = true end
    end
    return x
end

local function members_of(x, kind, p, name, read)
    local of = x[kind]
    if not of[name] then of[name] = read(p .. ':' .. kind .. ':' .. name) end
    return of[name]
end

local FIELDS = {'Status', 'Type', 'ExpiresAt', 'token', 'FinishedAt', 'Error', 'RetryCount', 'ParentKey', 'SequenceGroup',
                'ExecutionGroup', 'GroupLeaderId', 'NumFollowers', 'ok', 'more', 'StartedAt'}

local function record_read(p, id)
    local f, rec = call('HMGET', p .. ':op:' .. id, unpack(FIELDS)), {id = id}
    for n, name in ipairs(FIELDS) do rec[name] = f[n] or nil end
    return rec
end

local at                                                -- the record being looked at, and where to say what is wrong

local function is(what, expected, found)
    if (expected and true or false) ~= (found and true or false) then
        at.wrong[#at.wrong + 1] = at.rec.id .. ' (' .. at.rec.Status .. ') ' .. what
    end
end

-- Is it, of its sequence group, the one that may run? Members of other lanes and groups are not asked.
local function check_sequence(p, x, rec)
    local name, status = rec.Type .. ':' .. (rec.ParentKey or '') .. ':' .. rec.SequenceGroup, rec.Status
    local member = members_of(x, 'seq', p, name, zset_of)[rec.id]
    local runs = status == 'Running' or rec.live
    rec.sequence = name
    if status == 'Complete' or status == 'Canceled' or status == 'Merged' and not rec.live then
        is('seq', false, member)
    end
    if rec.waits or status == 'Scheduled' or runs or status == 'Error' and not rec.ExpiresAt then is('seq', true, member) end
    is('seq_active', runs, members_of(x, 'seq_active', p, name, function(key) return set_of(call('SMEMBERS', key)) end)[rec.id])
    return x.released[name] == rec.id
end

-- Where a ready one with a lane stands: in the lane, or out of it (then in `pending` or aside). Answers whether it is out.
local function check_lane(p, x, rec, free)
    local name = rec.Type .. ':' .. rec.ParentKey
    local inside = members_of(x, 'lanes', p, name, function() return zset_of(p .. ':lane:' .. name) end)[rec.id]
    local out = members_of(x, 'lanes_out', p, name, function()
        return set_of(call('SMEMBERS', p .. ':lane_out:' .. name))
    end)[rec.id]
    local ready = rec.waits and free
    if ready then
        if (not inside) == (not out) then is('stands in its lane and is out of it, or neither', true, false) end
        if inside then is('New in its lane', false, rec.Status == 'New') end
    else
        is('lane', false, inside)
        is('lane_out', rec.Status == 'Running', out)
    end
    return out
end

local function check_group(rec, groups)
    local status = rec.Status
    if status == 'Running' then
        is('NumFollowers and ExecutionGroup', rec.NumFollowers, rec.ExecutionGroup)
        is('GroupLeaderId', false, rec.GroupLeaderId)
    elseif status == 'Merged' then
        is('GroupLeaderId', true, rec.GroupLeaderId)
        is('ExecutionGroup', true, rec.ExecutionGroup)
        is('NumFollowers', false, rec.NumFollowers)
    elseif status == 'Complete' then
        is('NumFollowers', not rec.GroupLeaderId and rec.ExecutionGroup, rec.NumFollowers)
    else
        is('ExecutionGroup', false, rec.ExecutionGroup)
        is('GroupLeaderId', false, rec.GroupLeaderId)
        is('NumFollowers', false, rec.NumFollowers)
    end
    if rec.ExecutionGroup then
        groups[rec.ExecutionGroup] = groups[rec.ExecutionGroup] or {merged = 0, members = {}}
        local group = groups[rec.ExecutionGroup]
        group.members[rec.id] = rec
        if status == 'Merged' then group.merged = group.merged + 1 end
        if not rec.GroupLeaderId then group.leader = rec end
    end
end

local function check_groups(p, x, groups, wrong)
    for name, group in pairs(groups) do
        local leader = group.leader
        for id, rec in pairs(group.members) do
            if rec.GroupLeaderId and rec.GroupLeaderId ~= name:match('^[^-]+') then
                wrong[#wrong + 1] = id .. ' is led by another than its group'
            end
            if rec.live and not (leader and leader.Status == 'Running') then
                wrong[#wrong + 1] = id .. ' is Merged and nobody leads it'
            end
            if rec.live and leader and (rec.StartedAt ~= leader.StartedAt) then
                wrong[#wrong + 1] = id .. ' started at another time than its leader'
            end
        end
        if leader and tonumber(leader.NumFollowers or 0) ~= group.merged then
            -- of a leader that is done long ago, followers may have been removed a little before it
            if leader.Status == 'Running' or tonumber(leader.NumFollowers or 0) < group.merged then
                wrong[#wrong + 1] = name .. ' NumFollowers ' .. tostring(leader.NumFollowers) .. ', not ' .. group.merged
            end
        end
        local list = call('LRANGE', p .. ':group:' .. name, 0, -1)
        local listed = set_of(list)
        if leader and leader.Status == 'Running' then
            if list[1] ~= leader.id then wrong[#wrong + 1] = name .. ' does not begin with its leader' end
            for id, rec in pairs(group.members) do
                if (rec.Status == 'Merged' or rec == leader) and not listed[id] then wrong[#wrong + 1] = id .. ' is not in the list of ' .. name end
            end
        elseif list[1] then
            wrong[#wrong + 1] = name .. ' has ended, and its list is there'
        end
    end
end

-- What holds of every final record but an Error: it is in nothing but `born` and `done`. That no lane and no sequence
-- has it either, check_lanes and check_sequences see.
local function check_ended(x, rec)
    local id, complete = rec.id, rec.Status == 'Complete'
    local in_some = x.pending[rec.Type][id] or x.due[id] or x.leases[id] or x.running[id] or x.errors[id] or
        x.cancels[id] or x.blocked[id]
    if in_some then is('is in an index', false, true) end
    if not x.done[id] or not x.born[id] then is('is in done and born', true, false) end
    if not rec.ExpiresAt or rec.Error or complete and not rec.FinishedAt or not complete and rec.FinishedAt then
        is('ExpiresAt, FinishedAt or Error', true, false)
    end
end

local function check_record(p, x, rec, groups)
    local wrong, id, status = x.wrong, rec.id, rec.Status
    at = {rec = rec, wrong = wrong}
    if rec.ExecutionGroup or rec.GroupLeaderId or rec.NumFollowers or status == 'Merged' then check_group(rec, groups) end
    if status == 'Complete' or status == 'Canceled' then return check_ended(x, rec) end
    local lease = x.leases[id]
    rec.waits = status == 'New' or status == 'Waiting'
    rec.live = status == 'Merged' and not rec.ok and not rec.ExpiresAt
    local free = not rec.SequenceGroup or check_sequence(p, x, rec)
    local out = free
    if rec.more and rec.more:find('l') then out = check_lane(p, x, rec, free) and free end
    local held = status == 'Error' and x.blocked[id]
    local claimable = x.pending[rec.Type][id]
    if not (rec.waits and out and x.aside[id]) then is('pending', rec.waits and out, claimable) end
    is('due', status == 'Scheduled' or status == 'Error' and not rec.ExpiresAt and not held, x.due[id])
    if held then is('ExpiresAt', false, rec.ExpiresAt) end
    is('lease', status == 'Running', lease)
    is('running', status == 'Running', x.running[id])
    is('errors', status == 'Error', x.errors[id])
    is('Error', status == 'Error', rec.Error)
    if status ~= 'Merged' then is('FinishedAt', status == 'Error', rec.FinishedAt) end
    if status ~= 'Error' and status ~= 'Merged' then is('ExpiresAt', false, rec.ExpiresAt) end
    if rec.ExpiresAt then is('done', true, x.done[id]) end
    if lease and lease:match('^%S+') ~= rec.token then wrong[#wrong + 1] = id .. ' lease of another token' end
    if status ~= 'Running' and not rec.live then is('cancels', false, x.cancels[id]) end
    is('born', true, x.born[id])
end

-- Nobody stands in a lane while there is room before it, and no more are out than it lets.
local function check_lanes(p, x, records, capacity, forward)
    for _, kind in ipairs({'lane', 'lane_out'}) do
        for _, key in ipairs(call('KEYS', p .. ':' .. kind .. ':*')) do
            local name = key:sub(#p + #kind + 3)
            local ids = kind == 'lane' and call('ZRANGE', key, 0, -1) or call('SMEMBERS', key)
            for _, id in ipairs(ids) do
                local rec = records[id]
                if not rec or not rec.waits and (kind == 'lane' or rec.Status ~= 'Running') or
                    name ~= rec.Type .. ':' .. (rec.ParentKey or '') then
                    x.wrong[#x.wrong + 1] = id .. ' (' .. (rec and rec.Status or 'no record') .. ') stands in ' .. key
                end
            end
            local most = capacity[name:match('^[^:]+')] or 0
            local out = kind == 'lane' and call('SCARD', p .. ':lane_out:' .. name) or #ids
            if most > 0 and kind == 'lane' and out < most then
                x.wrong[#x.wrong + 1] = key .. ' waits, and only ' .. out .. ' are out'
            end
            if most > 0 and kind == 'lane_out' and forward and out > most then
                x.wrong[#x.wrong + 1] = key .. ' has ' .. out
            end
        end
    end
end

-- Who stands in a sequence is unfinished, or failed for good; only who runs is active.
local function check_members(p, x, records)
    for _, key in ipairs(call('KEYS', p .. ':seq:*')) do
        local name = key:sub(#p + 6)
        for _, id in ipairs(call('ZRANGE', key, 0, -1)) do
            local rec = records[id]
            local ended = rec and (rec.Status == 'Complete' or rec.Status == 'Canceled' or
                                   rec.Status == 'Merged' and not rec.live)
            if not rec or ended or name ~= rec.Type .. ':' .. (rec.ParentKey or '') .. ':' .. (rec.SequenceGroup or '') then
                x.wrong[#x.wrong + 1] = id .. ' (' .. (rec and rec.Status or 'no record') .. ') stands in ' .. key
            end
        end
        x.seq[name] = x.seq[name] or {}
    end
    for _, key in ipairs(call('KEYS', p .. ':seq_active:*')) do
        for _, id in ipairs(call('SMEMBERS', key)) do
            local rec = records[id]
            if not rec or rec.Status ~= 'Running' and not rec.live then x.wrong[#x.wrong + 1] = id .. ' (' .. (rec and rec.Status or 'no record') .. ') stands in ' .. key end
        end
    end
end

local function check_sequences(p, x, records, wrong)
    check_members(p, x, records)
    for name in pairs(x.seq) do
        local first = call('ZRANGE', p .. ':seq:' .. name, 0, 0)[1]
        local status = first and records[first] and records[first].Status
        local busy = call('EXISTS', p .. ':seq_active:' .. name) == 1 or x.failing[name]
        local next = not busy and (status == 'New' or status == 'Waiting') and first or nil
        if x.released[name] ~= next then wrong[#wrong + 1] = 'sequence ' .. name end
    end
    for name in pairs(x.released) do
        if not x.seq[name] then wrong[#wrong + 1] = 'sequence ' .. name .. ' is empty' end
    end
end

local function full(_, args)
    call = redis.call
    local p, forward = args[1], args[2] == '1'
    local types, capacity = types_of(args)
    local x, counts, records, groups = indexes_read(p, types), {}, {}, {}
    local wrong = x.wrong
    for _, key in ipairs(call('KEYS', p .. ':op:*')) do
        local rec = record_read(p, key:sub(#p + 5))
        local name = rec.Type .. ':' .. rec.Status
        counts[name] = (counts[name] or 0) + 1
        records[rec.id] = rec
        check_record(p, x, rec, groups)
    end
    local stored = hash_of(p .. ':counts')
    for name, count in pairs(stored) do
        if name:find(':') and tonumber(count) ~= (counts[name] or 0) then wrong[#wrong + 1] = 'count ' .. name end
    end
    for name in pairs(counts) do
        if not stored[name] then wrong[#wrong + 1] = 'no count ' .. name end
    end
    check_sequences(p, x, records, wrong)
    check_groups(p, x, groups, wrong)
    check_lanes(p, x, records, capacity, forward)
    for _, index in ipairs({'due', 'cancels', 'leases', 'running', 'errors', 'blocked'}) do
        for id in pairs(x[index]) do
            if not records[id] then wrong[#wrong + 1] = id .. ' of ' .. index .. ' has no record' end
        end
    end
    for type, ids in pairs(x.pending) do
        for id in pairs(ids) do
            if not records[id] or records[id].Type ~= type then wrong[#wrong + 1] = id .. ' of pending has no record' end
        end
    end
    table.sort(wrong)
    return table.concat(wrong, ', ')
end

-- ---- what is not done ----

local function left(_, args)
    call = redis.call
    local p, n = args[1], call('ZCARD', args[1] .. ':due') + call('HLEN', args[1] .. ':leases')
    for _, type in ipairs((types_of(args))) do
        for _, count in ipairs(call('HMGET', p .. ':counts', type .. ':New', type .. ':Scheduled', type .. ':Waiting',
                                    type .. ':Running')) do
            n = n + tonumber(count or 0)
        end
    end
    return n
end

-- ---- what is late, or not gone: asked when everything is done and tick had time ----

local function late(_, args)
    call = redis.call
    local p, before, wrong, gone = args[1], tonumber(args[2]), {}, {}
    for _, key in ipairs(call('KEYS', p .. ':op:*')) do
        -- its end was applied later than it was
        local f = call('HMGET', key, 'ExpiresAt', 'led', 'FinishedAt', 'SystemModstamp', 'ok')
        local finished = f[3] or f[5]
        local expires = f[1] and tonumber(f[1]) + (finished and f[4] - finished or 0)
        if expires and expires < before and not f[2] then wrong[#wrong + 1] = key .. ' should have been removed' end
    end
    for _, entry in ipairs(call('XRANGE', p .. ':deleted', '-', '+')) do
        for id in entry[2][2]:gmatch('%S+') do
            if gone[id] then wrong[#wrong + 1] = id .. ' was removed twice' end
            gone[id] = true
            if call('EXISTS', p .. ':op:' .. id) == 1 then wrong[#wrong + 1] = id .. ' was removed, and is there' end
        end
    end
    return table.concat(wrong, ', ')
end

redis.register_function{function_name = 'sim_late', callback = late, flags = {'no-writes'}}
redis.register_function{function_name = 'sim_cheap', callback = cheap, flags = {'no-writes'}}
redis.register_function{function_name = 'sim_full', callback = full, flags = {'no-writes'}}
redis.register_function{function_name = 'sim_left', callback = left, flags = {'no-writes'}}
