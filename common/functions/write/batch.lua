-- One call's effects on everything that is not a record: said once per batch, not once per operation. A batch `b`
-- collects and flush(b) writes. Within one flush an Id may appear once: who may come to one again says so (op_touch).
--
-- A flush writes in a fixed order: indexes that are left, indexes that are entered, numbers. Then it settles what was
-- touched, sequence groups before lanes (a member that its group lets go may enter a lane), each name once, and writes what
-- that moved; until nothing is touched any more. So whoever changes one operation need not know what that means for others.
local batch_open, flush, at_flush, finish, batch_answer, time_text
local op_touch, release, released_ids, moved, moved_ids, count_total, count_waited, edited, stat_time, done_add, done_ids

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
    -- What a flush looks at when everything else is written, in this order: lists of a batch that name what was touched.
    -- Whoever keeps such a list says at_flush how all its names are settled, each once.
    local SETTLED = {'sequences', 'lanes'}
    local TIME_SUMS = {w = 'ws', r = 'rs'}
    local settle_of = {}

    function at_flush(list, settle) settle_of[list] = settle end

    local function clear(b)
        b.steps, b.step_of = {}, {}                 -- changes of status; by type, from, to: the Ids
        b.edited = {}                               -- by status: Ids
        b.released = {}                             -- by Type: Ids
        b.lane_add, b.lane_free = {}, {}            -- by lane: (time, Id)*; places left, as lane.lua counts them
        b.due_add, b.errors_add = {}, {}            -- (score, Id)*
        b.leases, b.running = {}, {}                -- (Id, lease)*, (deadline, Id)*
        b.cancels_remove = {}                       -- Ids
        b.unreleased = {}                           -- sequence groups: who was released runs
        b.parents = {}                              -- by ParentKey: (score, Id)*
        b.done = {}                                 -- by retention in seconds: Ids
        b.unneeded = {}                             -- keys
        b.counts = {}                               -- by name of a total: sums
        b.stats = {}                                -- by name: sums
        b.times = {w = {ms = {}, of = {}}, r = {ms = {}, of = {}}}     -- distinct times in ms; of each, how often
    end

    -- The context of one mutating call, of the gate's answer.
    function batch_open(gate)
        local b = gate
        b.texts = {}                                -- of times, see time_text
        b.last_lease = {}                           -- see lease_add
        b.now_text = integer(b.now)
        b.stream_id = b.now_text .. '-*'            -- of XADD: times never fall, so this is never below the last
        b.ops = b.prefix .. KEY.OP
        b.types = types_of(b.prefix, b.generation)
        b.touched, b.writes = {}, 0                 -- Id -> number of the write that it waits for (op_touch), or what is
                                                    -- known of it when nothing of it waits (group_succeeded)
        b.hints = {}                                -- by Type: Ids joined, for the answer
        for _, list in ipairs(SETTLED) do b[list] = {} end
        clear(b)
        return b
    end

    -- A batch meets few different times, and formatting one takes as long as a Redis command's share of the work.
    function time_text(b, ms)
        local text = b.texts[ms]
        if not text then
            text = integer(ms)
            b.texts[ms] = text
        end
        return text
    end

    -- Taken out of the index that belongs to a status. A terminal record is in none but `done`, which is looked at
    -- when its time has passed and believes the record only.
    local function leave_pending(prefix, type, ids) call('ZREM', prefix .. KEY.PENDING .. type, unpack(ids)) end
    local function stay() end
    local leave = {
        [''] = stay, Complete = stay, Canceled = stay, Merged = stay,
        New = leave_pending, Waiting = leave_pending,
        Scheduled = function(prefix, _, ids) call('ZREM', prefix .. KEY.DUE, unpack(ids)) end,
        Running = function(prefix, _, ids)
            call('HDEL', prefix .. KEY.LEASES, unpack(ids))
            call('ZREM', prefix .. KEY.RUNNING, unpack(ids))
        end,
        Error = function(prefix, _, ids)
            call('ZREM', prefix .. KEY.DUE, unpack(ids))
            call('ZREM', prefix .. KEY.ERRORS, unpack(ids))
        end,
    }

    -- Every index is left before any is entered: an Id may go from one status to the same.
    local function flush_steps(b)
        local counts, entry = {}, {}
        for _, status in ipairs(b.edited) do        -- before what changed its status: the last word is what it is
            entry[#entry + 1], entry[#entry + 2] = status, table.concat(b.edited[status], ' ')
        end
        for _, step in ipairs(b.steps) do
            local type, from, to, ids = step.type, step.from, step.to, step.ids
            leave[from](b.prefix, type, ids)
            if from ~= '' then add_number(counts, type .. ':' .. from, -#ids) end
            add_number(counts, type .. ':' .. to, #ids)
            entry[#entry + 1], entry[#entry + 2] = to, table.concat(ids, ' ')
        end
        for _, name in ipairs(counts) do
            if counts[name] ~= 0 then call('HINCRBY', b.prefix .. KEY.COUNTS, name, counts[name]) end
        end
        if entry[1] then call('XADD', b.prefix .. KEY.CHANGES, b.stream_id, unpack(entry)) end
    end

    local function flush_released(b)
        for _, type in ipairs(b.released) do
            local ids, members, now = b.released[type], {}, b.now_text
            for n = 1, #ids do members[2 * n - 1], members[2 * n] = now, ids[n] end
            call('ZADD', b.prefix .. KEY.PENDING .. type, unpack(members))
            add_to(b.hints, type, table.concat(ids, ' '))
        end
    end

    local function flush_indexes(b)
        local prefix = b.prefix
        if b.due_add[1] then call('ZADD', prefix .. KEY.DUE, unpack(b.due_add)) end
        for _, lane in ipairs(b.lane_add) do call('ZADD', prefix .. KEY.LANE .. lane, unpack(b.lane_add[lane])) end
        if b.leases[1] then
            call('HSET', prefix .. KEY.LEASES, unpack(b.leases))
            call('ZADD', prefix .. KEY.RUNNING, unpack(b.running))
        end
        if b.errors_add[1] then call('ZADD', prefix .. KEY.ERRORS, unpack(b.errors_add)) end
        if b.cancels_remove[1] then call('HDEL', prefix .. KEY.CANCELS, unpack(b.cancels_remove)) end
        if b.unreleased[1] then call('HDEL', prefix .. KEY.SEQ_RELEASED, unpack(b.unreleased)) end
        if b.unneeded[1] then call('DEL', unpack(b.unneeded)) end
        for _, parent in ipairs(b.parents) do
            call('ZADD', prefix .. KEY.PARENT .. parent, unpack(b.parents[parent]))
        end
        for _, seconds in ipairs(b.done) do
            call('SADD', prefix .. KEY.RETENTIONS, seconds)
            call('XADD', prefix .. KEY.DONE .. seconds, b.stream_id, 'ids', table.concat(b.done[seconds], ' '))
        end
    end

    -- Times go into buckets of a log scale, four a doubling: 0 holds less than 1 ms, n holds [2^((n-1)/4), 2^(n/4)) ms.
    -- Fields w<n> (wait: claimable until claimed) and r<n> (run); ws and rs are the sums of ms.
    local function times_add(b, kind)
        local times = b.times[kind]
        for _, ms in ipairs(times.ms) do
            local count = times.of[ms]
            add_number(b.stats, kind .. (ms < 1 and 0 or math.floor(math.log(ms) / math.log(2) * 4 + 1e-9) + 1), count)
            if ms > 0 then add_number(b.stats, TIME_SUMS[kind], ms * count) end
        end
    end

    local function flush_numbers(b)
        times_add(b, 'w')
        times_add(b, 'r')
        local counts, minute = b.prefix .. KEY.COUNTS, b.prefix .. KEY.STATS .. integer(math.floor(b.now / 60000))
        for _, name in ipairs(b.counts) do
            if b.counts[name] ~= 0 then call('HINCRBY', counts, name, b.counts[name]) end
        end
        for _, name in ipairs(b.stats) do call('HINCRBY', minute, name, b.stats[name]) end
    end

    local function write(b)
        flush_steps(b)
        flush_released(b)
        flush_indexes(b)
        flush_numbers(b)
        clear(b)
        b.writes = b.writes + 1
    end

    -- Settles the first list that names anything, and writes what that let go or ended. false: none does.
    local function settle_one(b)
        for _, list in ipairs(SETTLED) do
            local names, settle = b[list], settle_of[list]
            if names[1] then
                b[list] = {}
                settle(b, names)
                write(b)
                return true
            end
        end
        return false
    end

    function flush(b)
        write(b)
        while settle_one(b) do end
    end

    -- This call does something to that Id: what it did to it before is written first.
    function op_touch(b, id)
        if b.touched[id] == b.writes then flush(b) end
        b.touched[id] = b.writes
    end

    -- The end of every mutating call: what is collected, and the time seen.
    function finish(b)
        flush(b)
        if b.now_text ~= b.last then call('HSET', b.prefix .. KEY.GATE, 'now', b.now_text) end
    end

    -- Appends the hints, (Type, Ids joined by blanks)*, to an answer. Workers that the answer's way through Kafka may not
    -- reach listen; who may not publish (ACL) does without.
    function batch_answer(b, answer)
        for _, type in ipairs(b.hints) do
            local ids = table.concat(b.hints[type], ' ')
            redis.pcall('SPUBLISH', b.prefix .. KEY.HINTS .. type, ids)
            local at = #answer + 1
            answer[at + HINT.TYPE], answer[at + HINT.IDS] = type, ids
        end
        return answer
    end

    -- Claimable now. Only for who knows that no turn is to be waited for: all others say `ready`.
    function release(b, type, id) add_to(b.released, type, id) end

    -- The list to which `release` adds, until the next flush.
    function released_ids(b, type)
        local ids = b.released[type]
        if not ids then
            ids = {}
            b.released[type] = ids
            b.released[#b.released + 1] = type
        end
        return ids
    end

    -- The list to which Ids are added whose status changes so (from '': they are new), until the next flush: the index
    -- they leave, counts, stream of changes.
    function moved_ids(b, type, from, to)
        local of = b.step_of[type]
        if not of then
            of = {}
            b.step_of[type] = of
        end
        of[from] = of[from] or {}
        local ids = of[from][to]
        if not ids then
            ids = {}
            of[from][to] = ids
            b.steps[#b.steps + 1] = {type = type, from = from, to = to, ids = ids}
        end
        return ids
    end

    function moved(b, type, id, from, to)
        local ids = moved_ids(b, type, from, to)
        ids[#ids + 1] = id
    end

    -- What is seen of a record has changed, and its status has not: it is changed all the same (getUpdated).
    function edited(b, id, status)
        call('HSET', b.ops .. id, 'SystemModstamp', b.now_text)
        add_to(b.edited, status, id)
    end

    -- `counts` holds totals since ever beside the counts: names in lower case, without a colon.
    function count_total(b, name, number)
        add_number(b.counts, name, number)
        add_number(b.stats, name, number)
    end

    -- So many ms (of all that waited, together) were spent waiting for this; the causes are those of
    -- common/metrics/queue_metrics.h.
    function count_waited(b, cause, ms)
        if ms > 0 then add_number(b.counts, 'waited_' .. cause, ms) end
    end

    -- kind: w, claimable until claimed; r, run. Most of a batch took equally long.
    function stat_time(b, kind, ms)
        local times = b.times[kind]
        local count = times.of[ms]
        if not count then
            times.ms[#times.ms + 1] = ms
            count = 0
        end
        times.of[ms] = count + 1
    end

    -- Ended: looked at for expiry when this retention has passed. The list until the next flush.
    function done_ids(b, retention_s)
        local name = time_text(b, retention_s)      -- a number would be a place in the list
        local ids = b.done[name]
        if not ids then
            ids = {}
            b.done[name] = ids
            b.done[#b.done + 1] = name
        end
        return ids
    end

    function done_add(b, retention_s, id)
        local ids = done_ids(b, retention_s)
        ids[#ids + 1] = id
    end
end
