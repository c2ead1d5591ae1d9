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
--
-- A claim believes the record, not the index: who is New or Waiting may be claimed by a hint alone. Only where something may
-- hold an operation back (`more`: a sequence group, a lane) is `pending` asked, which such a one enters when its turn has
-- come. The attempt is counted here, before it runs: whatever happens to the worker, no token is given twice.
local worker_seen
do
    local LOST_HINT_MS = 50
    local DEFAULT_TIMEOUT_MS = 60000
    local none = {}
    local kept_marks = {s = 's', l = 'l', sl = 'sl'}        -- of `more`, in the lease
    local last_read = {}                                    -- by Type: what READS the last operation of a call needed

    -- What one HMGET asks for. `more` says what else is to be known of an operation, and those of a Type are alike: what the
    -- last one had is asked of the next in the same go, from call to call. A wrong guess costs some fields, or a command.
    local READS = {
        none = function(record) return call('HMGET', record, CLAIMABLE.NAMES) end,
        parent = function(record) return call('HMGET', record, CLAIMABLE_PARENT.NAMES) end,
        all = function(record) return call('HMGET', record, CLAIMABLE_MORE.NAMES) end,
    }

    local function record_read(b, offer, id)
        local read = offer.read
        local f = READS[read](b.ops .. id)
        f.read = read
        local more = f[CLAIMABLE.MORE]
        offer.read = not more and 'none' or more == 'p' and 'parent' or 'all'
        return f
    end

    -- The fields of GRANTED, and where they begin in that list. f: as record_read.
    local function read_granted(b, id, f)
        if not f[CLAIMABLE.MORE] then return none, 0 end
        if f.read == 'all' then return f, CLAIMABLE.SIZE end
        if f.read == 'parent' and f[CLAIMABLE.MORE] == 'p' then
            return {[GRANTED.PARENT_KEY] = f[CLAIMABLE_PARENT.PARENT_KEY]}, 0
        end
        return call('HMGET', b.ops .. id, GRANTED.NAMES), 0
    end

    -- One granted operation. `offer` says what all of a call have in common, f: as record_read. leader: '' or the Id of
    -- its group's.
    local function grant(b, offer, id, f, leader)
        local payload, marks, answer, at = f[CLAIMABLE.PAYLOAD], f[CLAIMABLE.MORE], offer.answer, offer.next
        local kind = payload and 'p' or '-'
        payload = payload or ''
        local more, n = read_granted(b, id, f)
        if more[n + GRANTED.LARGE] then payload, kind = call('GET', b.prefix .. KEY.IN .. id) or '', 'L' end
        local timeout, parent, group = more[n + GRANTED.TIMEOUT], more[n + GRANTED.PARENT_KEY], more[n + GRANTED.SEQUENCE_GROUP]
        timeout = timeout and tonumber(timeout) or offer.timeout[f[CLAIMABLE.VERSION] or '1']
        answer[at + CLAIMED.ID] = id
        answer[at + CLAIMED.TOKEN] = offer.token
        answer[at + CLAIMED.TIMEOUT] = timeout
        answer[at + CLAIMED.PARENT_KEY] = parent or ''
        answer[at + CLAIMED.SEQUENCE_GROUP] = group or ''
        answer[at + CLAIMED.SEQUENCE_NUMBER] = more[n + GRANTED.SEQUENCE_NUMBER] or ''
        answer[at + CLAIMED.TRACEPARENT] = more[n + GRANTED.TRACE] or ''
        answer[at + CLAIMED.PAYLOAD] = payload
        answer[at + CLAIMED.LEADER_ID] = leader
        offer.next, offer.bytes = at + CLAIMED.SIZE, offer.bytes + #payload
        offer.all[#offer.all + 1] = id
        if SEQUENCED[marks] then sequence_claimed(b, sequence_name(offer.type, parent or '', group), id) end
        return timeout, kind .. (kept_marks[marks] or ''), LANED[marks] and parent or nil
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
        next_token(offer, f[CLAIMABLE.TOKEN])
        transition(b, offer.type, id, f[CLAIMABLE.STATUS], 'Merged', 'StartedAt', b.now_text, 'WorkerUri', offer.uri,
                   'token', offer.token, 'ExecutionGroup', group.name, 'GroupLeaderId', group.leader)
        f[CLAIMABLE.MORE] = f[CLAIMABLE.MORE] or '1'
        grant(b, offer, id, f, group.leader)
        local waited = b.now - tonumber(f[CLAIMABLE.MODSTAMP])
        stat_time(b, 'w', waited)
        count_waited(b, 'turn', waited)
    end

    -- Makes one Running if it is claimable: New or Waiting (and then in `pending`). Answers whether it was; what is
    -- paused is laid aside.
    local function claim_one(b, offer, id)
        local f, type = record_read(b, offer, id), offer.type
        local status, waits_since, more = f[CLAIMABLE.STATUS], f[CLAIMABLE.MODSTAMP], f[CLAIMABLE.MORE]
        if status ~= 'New' and status ~= 'Waiting' or f[CLAIMABLE.TYPE] ~= type then return false end
        local laned = LANED[more]
        if laned or more == 's' then                -- such a one may be held: only `pending` says
            waits_since = call('ZSCORE', b.prefix .. KEY.PENDING .. type, id)
            if not waits_since then return false end
        end
        local paused = b.paused and pause_of(b, type, more and call('HGET', b.ops .. id, 'ParentKey'))
        if paused then
            pause_aside(b, paused, type, id, status, waits_since)
            return true
        end
        next_token(offer, f[CLAIMABLE.TOKEN])
        local token, now = offer.token, b.now_text
        call('HSET', b.ops .. id, 'Status', 'Running', 'SystemModstamp', now, 'StartedAt', now, 'WorkerUri', offer.uri,
             'token', token)
        moved(b, type, id, status, 'Running')
        local timeout, payload, parent = grant(b, offer, id, f, '')
        if laned then payload = payload .. group_gather(b, offer, id, token, more, parent) end
        lease_add(b, type, id, token, b.now, timeout, offer.instance, payload, parent)
        local waited = b.now - tonumber(waits_since)
        stat_time(b, 'w', waited)
        offer.waited, offer.executions = offer.waited + waited, offer.executions + 1
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
        for n = CLAIM.SIZE + 1, #args do
            if is_full(offer) then return end
            claim_one(b, offer, args[n])
        end
        if is_full(offer) then return end
        local pending = b.prefix .. KEY.PENDING .. offer.type
        local old = call('ZRANGE', pending, '-inf', integer(b.now - LOST_HINT_MS), 'BYSCORE', 'LIMIT', 0, offer.want)
        for _, id in ipairs(old) do
            if is_full(offer) then return end
            if not claim_one(b, offer, id) then call('ZREM', pending, id) end
        end
    end

    -- Does this instance still hold it, never renewed, under the lease that the lost reply told of? Later a verdict on
    -- it may be on its way already.
    local function is_held(b, offer, f, lease)
        local token, instance = lease:match('^(%S+) %d+ (%S+)')
        return token == f[CLAIMABLE.TOKEN] and instance == offer.instance and
            b.now < tonumber(f[CLAIMABLE.MODSTAMP]) + b.lease_ms
    end

    -- What this nonce was granted before, as far as it is still held: leaders, each before its followers. It starts now:
    -- the worker counts Timeout and lease from this answer on, so Redis must not count from the one that was lost.
    local function grant_again(b, offer, ids)
        local leader
        for id in ids:gmatch('%S+') do
            local f = record_read(b, offer, id)
            local lease = f[CLAIMABLE.TOKEN] and call('HGET', b.prefix .. KEY.LEASES, id)
            if lease and is_held(b, offer, f, lease) then
                leader, offer.token = id, f[CLAIMABLE.TOKEN]
                transition(b, offer.type, id, 'Running', 'Running', 'StartedAt', b.now_text)
                local timeout, payload, parent = grant(b, offer, id, f, '')
                if group_of_lease(b, id, lease) then payload = payload .. 'g' end
                lease_add(b, offer.type, id, offer.token, b.now, timeout, offer.instance, payload, parent)
                offer.executions = offer.executions + 1
            elseif f[CLAIMABLE.STATUS] == 'Merged' and leader and call('HGET', b.ops .. id, 'GroupLeaderId') == leader then
                offer.token = f[CLAIMABLE.TOKEN]
                transition(b, offer.type, id, 'Merged', 'Merged', 'StartedAt', b.now_text)
                grant(b, offer, id, f, leader)
            end
        end
    end

    -- A worker instance was heard of. types, slots: for people; nil when the call does not say.
    function worker_seen(b, instance, uri, types, slots)
        call('ZADD', b.prefix .. KEY.WORKERS, b.now_text, instance)
        if types then
            call('HSET', b.prefix .. KEY.INSTANCE .. instance, 'uri', uri, 'types', types, 'slots', slots)
        end
    end

    local function check(args)
        local instance, nonce, want = args[CLAIM.INSTANCE], args[CLAIM.NONCE], whole(args[CLAIM.WANT])
        if (instance or '') == '' or instance:find('%s') then return 'instance: ' .. tostring(instance) end
        if (nonce or '') == '' or nonce:find('%s') then return 'nonce: ' .. tostring(nonce) end
        if not want or want < 1 or want > MAX_ITEMS then return 'want: ' .. tostring(args[CLAIM.WANT]) end
        if #args - CLAIM.SIZE > MAX_ITEMS then return 'Ids: more than ' .. MAX_ITEMS end
    end

    local function offer_of(b, args)
        local type, timeout = args[CLAIM.TYPE], {}           -- the Type's own, by version of its settings
        setmetatable(timeout, {__index = function(_, version)
            local settings = b.types.versions[type .. ':' .. version] or b.types.current[type] or none
            return settings.timeout_ms or DEFAULT_TIMEOUT_MS
        end})
        local settings = b.types.current[type] or none
        local offer = {instance = args[CLAIM.INSTANCE], uri = args[CLAIM.WORKER_URI], type = type,
                       want = tonumber(args[CLAIM.WANT]), all = {}, bytes = 0, executions = 0, waited = 0,
                       most = settings.merge_max or 1, timeout = timeout, first = tonumber(b.generation) * ATTEMPTS + 1,
                       read = last_read[type] or 'none', answer = answer_ok(b.now), next = CLAIM_ANSWER.SIZE + 1}
        offer.answer[CLAIM_ANSWER.LEASE_MS] = b.lease_ms
        function offer.grant_follower(id, f, group) grant_follower(b, offer, id, f, group) end
        return offer
    end

    local function claim(keys, args)
        local gate, refusal = gate_pass(keys, args, true)
        if not gate then return refusal end
        local wrong = check(args)
        if wrong then return invalid('%s', wrong) end
        local b = batch_open(gate)
        local offer, nonce, worker = offer_of(b, args), args[CLAIM.NONCE], b.prefix .. KEY.INSTANCE .. args[CLAIM.INSTANCE]
        local last = call('HGET', worker, 'nonce:' .. offer.type)
        if last and last:match('^%S+') == nonce then
            grant_again(b, offer, last:sub(#nonce + 2))
        else
            pause_check(b)
            claim_all(b, offer, args)
            last_read[offer.type] = offer.read
            count_waited(b, 'worker', offer.waited)
        end
        if offer.all[1] then
            local ids = table.concat(offer.all, ' ')
            call('HSET', worker, 'uri', offer.uri, 'nonce:' .. offer.type, nonce .. ' ' .. ids)
            call('ZADD', b.prefix .. KEY.WORKERS, b.now_text, offer.instance)     -- else its nonce might be forgotten
            call('XADD', b.prefix .. KEY.WORKER .. offer.uri, b.stream_id, 'ids', ids)
            call('ZADD', b.prefix .. KEY.URIS, 'NX', b.now_text, offer.uri)
        end
        finish(b)
        return offer.answer
    end

    redis.register_function{function_name = 'bgop_claim', callback = claim, flags = {'allow-oom'}}
end
