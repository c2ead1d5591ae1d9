-- bgop_claim: pending -> Running, for one worker instance.
--   keys  1 shard prefix
--   args  generation, instance, WorkerUri, nonce, Type, want, Id*
--   ->    OK, now, lease_ms, (Id, token, timeout_ms, ParentKey, SequenceGroup, SequenceNumber, traceparent, payload,
--         leader Id)*
-- Grants the hinted Ids that are still claimable, then up to `want` the oldest released more than 50 ms ago (their
-- hint may be lost). A Type that merges gets groups: a leader (leader Id empty) and behind it its followers; `want`
-- counts leaders, an answer has at most 500 operations. The same nonce of an instance and Type again gets what it was
-- granted, with the same tokens, starting now: so a worker asks again after a lost reply. An answer holds about 1 MiB:
-- what does not fit stays pending. Open only. Allowed when Redis is out of memory: what runs to its end frees its payload.
local worker_seen
do
    local LOST_HINT_MS = 50
    local DEFAULT_TIMEOUT_MS = 60000
    local none = {}
    local kept_marks = {s = 's', l = 'l', sl = 'sl'}        -- of `more`, in the lease

    -- One granted operation: `offer` says what all of a call have in common. leader: '' or the Id of its group's.
    local function grant(b, offer, id, f, leader)
        local payload, kind, more, answer, n = f[4] or '', f[4] and 'p' or '-', none, offer.answer, offer.size
        if f[6] then
            more = call('HMGET', b.ops .. id, 'Timeout', 'ParentKey', 'SequenceGroup', 'SequenceNumber', 'trace',
                        'large')
            if more[6] then payload, kind = call('GET', b.prefix .. ':in:' .. id) or '', 'L' end
        end
        local timeout = more[1] and tonumber(more[1]) or offer.timeout[f[5] or '1']
        answer[n + 1], answer[n + 2], answer[n + 3] = id, offer.token, timeout
        answer[n + 4], answer[n + 5], answer[n + 6] = more[2] or '', more[3] or '', more[4] or ''
        answer[n + 7], answer[n + 8], answer[n + 9] = more[5] or '', payload, leader
        offer.size, offer.bytes = n + 9, offer.bytes + #payload
        offer.all[#offer.all + 1] = id
        if SEQUENCED[f[6]] then sequence_claimed(b, sequence_name(offer.type, more[2] or '', more[3]), id) end
        return timeout, kind .. (kept_marks[f[6]] or ''), LANED[f[6]] and more[2] or nil
    end

    local function record_read(b, id)
        return call('HMGET', b.ops .. id, 'Status', 'SystemModstamp', 'token', 'in', 'v', 'more', 'Type')
    end

    -- offer.token: of the attempt after the one whose token the record holds.
    local function next_token(offer, last)
        local attempt = last and tonumber(last) % ATTEMPTS or 0
        if attempt ~= offer.attempt then
            offer.attempt, offer.token = attempt, integer(offer.first + attempt)
        end
    end

    -- A follower of a group that is being gathered (group.lua). f: as record_read.
    local function grant_follower(b, offer, id, f, group)
        next_token(offer, f[3])
        transition(b, offer.type, id, f[1], 'Merged', 'StartedAt', b.now_text, 'WorkerUri', offer.uri,
                   'token', offer.token, 'ExecutionGroup', group.name, 'GroupLeaderId', group.leader)
        f[6] = f[6] or '1'
        grant(b, offer, id, f, group.leader)
        stat_time(b, 'w', b.now - tonumber(f[2]))
    end

    -- Makes one Running if it is claimable: New or Waiting (and then in `pending`). Answers whether it was; what is
    -- paused is laid aside.
    local function claim_one(b, offer, id)
        local f, type = record_read(b, id), offer.type
        local status, waits_since = f[1], f[2]
        if status ~= 'New' and status ~= 'Waiting' or f[7] ~= type then return false end
        local laned = LANED[f[6]]
        if laned or f[6] == 's' then                -- such a one may be held: only `pending` says
            waits_since = call('ZSCORE', b.prefix .. ':pending:' .. type, id)
            if not waits_since then return false end
        end
        local paused = b.paused and pause_of(b, type, f[6] and call('HGET', b.ops .. id, 'ParentKey'))
        if paused then
            pause_aside(b, paused, type, id, status, waits_since)
            return true
        end
        next_token(offer, f[3])
        transition(b, type, id, status, 'Running', 'StartedAt', b.now_text, 'WorkerUri', offer.uri,
                   'token', offer.token)
        local token = offer.token
        local timeout, payload, parent = grant(b, offer, id, f, '')
        if laned and group_gather(b, offer, id, token, f[6], parent) then payload = payload .. 'g' end
        lease_add(b, type, id, token, b.now, timeout, offer.instance, payload, parent)
        stat_time(b, 'w', b.now - tonumber(waits_since))
        offer.executions = offer.executions + 1
        return true
    end

    -- No more executions than wanted, and no more operations and bytes than one answer may hold: the next execution may
    -- bring as many as its Type merges.
    local function is_full(offer)
        return offer.executions >= offer.want or offer.bytes >= MAX_BYTES or
            offer.all[1] and #offer.all + offer.most > MAX_ITEMS
    end

    -- The hinted ones, then the oldest in `pending` whose hint may be lost. Who was granted is Running: no Id twice.
    local function claim_all(b, offer, args)
        for n = 7, #args do
            if is_full(offer) then return end
            claim_one(b, offer, args[n])
        end
        if is_full(offer) then return end
        local pending = b.prefix .. ':pending:' .. offer.type
        local old = call('ZRANGE', pending, '-inf', integer(b.now - LOST_HINT_MS), 'BYSCORE', 'LIMIT', 0, offer.want)
        for _, id in ipairs(old) do
            if is_full(offer) then return end
            if not claim_one(b, offer, id) then call('ZREM', pending, id) end
        end
    end

    -- Does this instance still hold it, never renewed, under the lease that the lost reply told of? Later a verdict on
    -- it may be on its way already.
    local function is_held(b, offer, f, lease)
        local token, backstop, instance = lease:match('^(%S+) (%S+) (%S+)')
        return token == f[3] and instance == offer.instance and
            b.now < math.min(tonumber(f[2]) + b.lease_ms, tonumber(backstop))
    end

    -- What this nonce was granted before, as far as it is still held: leaders, each before its followers. It starts now:
    -- the worker counts Timeout and lease from this answer on, so Redis must not count from the one that was lost.
    local function grant_again(b, offer, ids)
        local leader
        for id in ids:gmatch('%S+') do
            local f = record_read(b, id)
            local lease = f[3] and call('HGET', b.prefix .. ':leases', id)
            if lease and is_held(b, offer, f, lease) then
                leader, offer.token = id, f[3]
                transition(b, offer.type, id, 'Running', 'Running', 'StartedAt', b.now_text)
                local timeout, payload, parent = grant(b, offer, id, f, '')
                if group_of_lease(b, id, lease) then payload = payload .. 'g' end
                lease_add(b, offer.type, id, offer.token, b.now, timeout, offer.instance, payload, parent)
                offer.executions = offer.executions + 1
            elseif f[1] == 'Merged' and leader and call('HGET', b.ops .. id, 'GroupLeaderId') == leader then
                offer.token = f[3]
                transition(b, offer.type, id, 'Merged', 'Merged', 'StartedAt', b.now_text)
                grant(b, offer, id, f, leader)
            end
        end
    end

    -- A worker instance was heard of. types, slots: for people; nil when the call does not say.
    function worker_seen(b, instance, uri, types, slots)
        call('ZADD', b.prefix .. ':workers', b.now_text, instance)
        if types then
            call('HSET', b.prefix .. ':w:' .. instance, 'uri', uri, 'types', types, 'slots', slots)
        end
    end

    local function check(args)
        if (args[2] or '') == '' or args[2]:find('%s') then return 'instance: ' .. tostring(args[2]) end
        if (args[4] or '') == '' or args[4]:find('%s') then return 'nonce: ' .. tostring(args[4]) end
        local want = whole(args[6])
        if not want or want < 1 or want > MAX_ITEMS then return 'want: ' .. tostring(args[6]) end
        if #args - 6 > MAX_ITEMS then return 'Ids: more than ' .. MAX_ITEMS end
    end

    local function offer_of(b, args)
        local type, timeout = args[5], {}           -- the Type's own, by version of its settings
        setmetatable(timeout, {__index = function(_, version)
            local settings = b.types.versions[type .. ':' .. version] or b.types.current[type] or none
            return settings.timeout_ms or DEFAULT_TIMEOUT_MS
        end})
        local settings = b.types.current[type] or none
        local offer = {instance = args[2], uri = args[3], type = type, want = tonumber(args[6]), all = {}, bytes = 0,
                       executions = 0, most = settings.merge_max or 1, timeout = timeout,
                       first = tonumber(b.generation) * ATTEMPTS + 1, answer = {'OK', b.now, b.lease_ms}, size = 3}
        function offer.grant_follower(id, f, group) grant_follower(b, offer, id, f, group) end
        return offer
    end

    local function claim(keys, args)
        local gate, refusal = gate_pass(keys, args, true)
        if not gate then return refusal end
        local wrong = check(args)
        if wrong then return invalid('%s', wrong) end
        local b = batch_open(gate)
        local offer, nonce, worker = offer_of(b, args), args[4], b.prefix .. ':w:' .. args[2]
        local last = call('HGET', worker, 'nonce:' .. offer.type)
        if last and last:match('^%S+') == nonce then
            grant_again(b, offer, last:sub(#nonce + 2))
        else
            pause_look(b)
            claim_all(b, offer, args)
        end
        if offer.all[1] then
            local ids = table.concat(offer.all, ' ')
            call('HSET', worker, 'uri', offer.uri, 'nonce:' .. offer.type, nonce .. ' ' .. ids)
            call('ZADD', b.prefix .. ':workers', b.now_text, offer.instance)     -- else its nonce might be forgotten
            call('XADD', b.prefix .. ':worker:' .. offer.uri, b.stream_id, 'ids', ids)
            call('ZADD', b.prefix .. ':uris', 'NX', b.now_text, offer.uri)
        end
        finish(b)
        return offer.answer
    end

    redis.register_function{function_name = 'bgop_claim', callback = claim, flags = {'allow-oom'}}
end
