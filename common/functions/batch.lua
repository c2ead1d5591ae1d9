-- One call's effects on everything that is not a record: said once per batch, not once per operation. A batch `b`
-- collects and flush(b) writes. Within one flush an Id may appear once: whoever meets it again flushes first.
local batch_open, flush, finish, batch_answer
local release, hint, moved, count_total, stat, stat_time, done_add

-- A list per name, names in the order of their first use: no pairs(), so that replays write the same bytes.
local function add_to(groups, name, value)
    local list = groups[name]
    if not list then
        list = {}
        groups[name] = list
        groups[#groups + 1] = name
    end
    list[#list + 1] = value
end

local function add_number(sums, name, number)
    local sum = sums[name]
    if not sum then
        sum = 0
        sums[#sums + 1] = name
    end
    sums[name] = sum + number
end

do
    local function clear(b)
        b.pending_add, b.pending_remove = {}, {}    -- by Type: (score, Id)*, Ids
        b.due_add, b.due_remove = {}, {}            -- (score, Id)*, Ids
        b.leases, b.running = {}, {}                -- (Id, lease)*, (deadline, Id)*
        b.leases_remove = {}                        -- Ids
        b.errors_add, b.errors_remove = {}, {}      -- (score, Id)*, Ids
        b.cancels_remove = {}                       -- Ids
        b.parents = {}                              -- by ParentKey: (score, Id)*
        b.done = {}                                 -- by retention in seconds: Ids
        b.unneeded = {}                             -- keys
        b.counts = {}                               -- by "Type:Status" or name of a total: sums
        b.stats = {}                                -- by name: sums
        b.changes = {}                              -- by Status: Ids
        b.touched = {}                              -- Id -> true, of whoever may meet one twice
    end

    -- The context of one mutating call, of the gate's answer.
    function batch_open(gate)
        local b = gate
        b.now_text = integer(b.now)
        b.stream_id = b.now_text .. '-*'            -- of XADD: times never fall, so this is never below the last
        b.ops = b.prefix .. ':op:'
        b.types = types_of(b.prefix, b.generation)
        b.hints = {}                                -- by Type: Ids; for the answer
        clear(b)
        return b
    end

    local function flush_indexes(b)
        local prefix = b.prefix
        for _, type in ipairs(b.pending_remove) do
            call('ZREM', prefix .. ':pending:' .. type, unpack(b.pending_remove[type]))
        end
        for _, type in ipairs(b.pending_add) do call('ZADD', prefix .. ':pending:' .. type, unpack(b.pending_add[type])) end
        if b.due_remove[1] then call('ZREM', prefix .. ':due', unpack(b.due_remove)) end
        if b.due_add[1] then call('ZADD', prefix .. ':due', unpack(b.due_add)) end
        if b.leases_remove[1] then
            call('HDEL', prefix .. ':leases', unpack(b.leases_remove))
            call('ZREM', prefix .. ':running', unpack(b.leases_remove))
        end
        if b.leases[1] then call('HSET', prefix .. ':leases', unpack(b.leases)) end
        if b.running[1] then call('ZADD', prefix .. ':running', unpack(b.running)) end
        if b.errors_remove[1] then call('ZREM', prefix .. ':errors', unpack(b.errors_remove)) end
        if b.errors_add[1] then call('ZADD', prefix .. ':errors', unpack(b.errors_add)) end
        if b.cancels_remove[1] then call('HDEL', prefix .. ':cancels', unpack(b.cancels_remove)) end
        if b.unneeded[1] then call('DEL', unpack(b.unneeded)) end
        for _, parent in ipairs(b.parents) do call('ZADD', prefix .. ':parent:' .. parent, unpack(b.parents[parent])) end
    end

    local function flush_streams(b)
        for _, retention in ipairs(b.done) do
            call('SADD', b.prefix .. ':retentions', retention)
            call('XADD', b.prefix .. ':done:' .. retention, b.stream_id, 'ids', table.concat(b.done[retention], ' '))
        end
        if b.changes[1] then
            local entry = {}
            for _, status in ipairs(b.changes) do
                entry[#entry + 1] = status
                entry[#entry + 1] = table.concat(b.changes[status], ' ')
            end
            call('XADD', b.prefix .. ':changes', b.stream_id, unpack(entry))
        end
    end

    local function flush_numbers(b)
        local counts, minute = b.prefix .. ':counts', b.prefix .. ':stats:' .. integer(math.floor(b.now / 60000))
        for _, name in ipairs(b.counts) do
            if b.counts[name] ~= 0 then call('HINCRBY', counts, name, b.counts[name]) end
        end
        for _, name in ipairs(b.stats) do call('HINCRBY', minute, name, b.stats[name]) end
    end

    function flush(b)
        flush_indexes(b)
        flush_streams(b)
        flush_numbers(b)
        clear(b)
    end

    -- The end of every mutating call: what is collected, and the time seen.
    function finish(b)
        flush(b)
        if b.now_text ~= b.last then call('HSET', b.prefix .. ':gate', 'now', b.now_text) end
    end

    -- Appends the hints, (Type, Ids joined by blanks)*, to an answer.
    function batch_answer(b, answer)
        for _, type in ipairs(b.hints) do
            answer[#answer + 1] = type
            answer[#answer + 1] = table.concat(b.hints[type], ' ')
        end
        return answer
    end
end

function hint(b, type, id) add_to(b.hints, type, id) end

-- Claimable now. Whatever ends a wait comes through here; sequences, lanes and limits will decide here too.
function release(b, type, id)
    add_to(b.pending_add, type, b.now_text)
    add_to(b.pending_add, type, id)
    hint(b, type, id)
end

-- The record's status has changed: counts and the stream of changes.
function moved(b, type, id, from, to)
    if from then add_number(b.counts, type .. ':' .. from, -1) end
    add_number(b.counts, type .. ':' .. to, 1)
    add_to(b.changes, to, id)
end

-- `counts` holds totals since ever beside the counts: names in lower case, without a colon.
function count_total(b, name, number)
    add_number(b.counts, name, number)
    add_number(b.stats, name, number)
end

function stat(b, name, number) add_number(b.stats, name, number) end

-- Times go into buckets of a log scale, four a doubling: 0 holds less than 1 ms, n holds [2^((n-1)/4), 2^(n/4)) ms.
-- Fields w<n> (wait: claimable until claimed) and r<n> (run).
function stat_time(b, kind, ms)
    local bucket = 0
    if ms >= 1 then bucket = math.floor(math.log(ms) / math.log(2) * 4 + 1e-9) + 1 end
    add_number(b.stats, kind .. bucket, 1)
end

-- Ended: looked at for expiry when this retention has passed.
function done_add(b, retention_s, id) add_to(b.done, integer(retention_s), id) end
