-- Execution groups: a leader that runs, and the followers it took along when it was claimed, which are Merged. The key
-- group:<leader>-<attempt> lists who was in it, the leader first, until its execution has ended; who has failed leaves
-- the group, but stays in that list. One entry of the status log a member, the leader's last (worker/reporter.c).
--   Merged, neither `ok` nor ExpiresAt     runs
--   Merged, `ok` (a time)                  succeeded then; its leader runs still
--   Merged, ExpiresAt                      succeeded, like its leader (`ok` stays)
-- A leader's lease ends in `g`, or in `e` when its followers are alike: first attempts as its own, the payload in the record,
-- nothing else to be known. Then the end of a group that succeeds need not read them, unless something has touched one
-- since: that puts an empty member behind the list.
local group_of_lease, group_may_lead, group_gather, group_leave, group_succeeded, group_end, group_complete
do
    -- Trouble that was perhaps not its own: from now on it runs without others. Retry 1 may merge again.
    local function is_alone(retries, lost, crashes, alone)
        return (tonumber(retries) or 0) >= 2 or lost and true or crashes and true or alone and true or false
    end

    local function group_key(b, leader, token)
        return b.prefix .. KEY.GROUP .. leader .. '-' .. integer(tonumber(token) % ATTEMPTS)
    end

    -- Members that the leader's lease is about; nil: it is no leader's.
    function group_of_lease(b, id, lease)
        if not lease:find('^%S+ %S+ %S+ %S+ %Ss?l[ge]') then return nil end
        return call('LRANGE', group_key(b, id, lease:match('^%S+')), 0, -1)
    end

    -- Does it lead others, as far as its lease knows? Where Redis went backwards and forgot with whom it runs, perhaps; the
    -- verdict on it says so in the log, where nothing is forgotten any more.
    function group_may_lead(b, rec, lease)
        local mark = lease:match('^%S+ %S+ %S+ %S+ %Ss?l([gef])')
        return mark == 'g' or mark == 'e' or mark == 'f' and ((b.types.current[rec.type] or {}).merge_max or 1) > 1
    end

    -- ---- claim ----

    -- offer: claim.lua. A member that can go along: as claim's record_read, then what else is to be known. Who was never
    -- attempted before has had no trouble. attempts: how many are this claim's own.
    local function candidate(b, id, attempts)
        local f = call('HMGET', b.ops .. id, CLAIMABLE_MORE.NAMES)
        local before = tonumber(f[CLAIMABLE.TOKEN] or 0) % ATTEMPTS > attempts
        local trouble = before and call('HMGET', b.ops .. id, TROUBLE.NAMES)
        f.read = 'all'
        f.bytes = tonumber(f[CLAIMABLE_MORE.LARGE] or 0) + #(f[CLAIMABLE.PAYLOAD] or '')
        f.waits = f[CLAIMABLE.STATUS] == 'Waiting' or f[CLAIMABLE.STATUS] == 'New'
        f.alone = trouble and
            is_alone(trouble[TROUBLE.RETRY_COUNT], trouble[TROUBLE.LOST], trouble[TROUBLE.CRASHES], trouble[TROUBLE.ALONE])
        return f
    end

    local function fits(group, f) return group.size < group.most and group.bytes + f.bytes <= group.most_bytes end

    local function take(b, offer, group, id, f)
        group.size, group.bytes = group.size + 1, group.bytes + f.bytes
        group.ids[group.size] = id
        group.alike = group.alike and f[CLAIMABLE.MORE] == 'l' and f[CLAIMABLE.PAYLOAD] and true
        offer.grant_follower(id, f, group)
        group.alike = group.alike and offer.token == group.token
    end

    -- Who stands behind a member in its sequence group goes along, as long as nothing comes between them.
    local function take_successors(b, offer, group, id, f)
        if not SEQUENCED[f[CLAIMABLE.MORE]] then return end
        local name = sequence_name(offer.type, f[CLAIMABLE_MORE.PARENT_KEY] or '', f[CLAIMABLE_MORE.SEQUENCE_GROUP])
        local index = b.prefix .. KEY.SEQ .. name
        local rank = call('ZRANK', index, id)
        local ids = rank and call('ZRANGE', index, rank + 1, rank + group.most - group.size) or {}
        for _, next_id in ipairs(ids) do
            local next_f = candidate(b, next_id, 0)
            if not next_f.waits or next_f.alone or not fits(group, next_f) then return end
            take(b, offer, group, next_id, next_f)
        end
    end

    -- Takes along what waits in the leader's lane, in its order, up to the Type's bounds. Answers the mark of its lease: '' when
    -- there is nobody.
    function group_gather(b, offer, leader, token, more, parent)
        local settings = b.types.current[offer.type]
        if (settings.merge_max or 1) <= 1 then return '' end
        local lane = b.prefix .. KEY.LANE .. lane_name(offer.type, parent)
        local waiting = call('ZRANGE', lane, 0, 2 * settings.merge_max - 1)
        if not waiting[1] and not SEQUENCED[more] then return '' end
        local f = candidate(b, leader, 1)
        if f.alone then return '' end
        local group = {leader = leader, token = token, alike = true, key = group_key(b, leader, token), size = 1,
                       ids = {leader}, bytes = f.bytes,
                       most = settings.merge_max, most_bytes = settings.merge_max_bytes or MAX_BYTES}
        group.name = group.key:sub(#b.prefix + 8)
        take_successors(b, offer, group, leader, f)
        local taken = {}
        for _, id in ipairs(waiting) do
            local next_f = candidate(b, id, 0)
            if not next_f.alone then
                if not fits(group, next_f) then break end
                take(b, offer, group, id, next_f)
                taken[#taken + 1] = id
                take_successors(b, offer, group, id, next_f)
            end
        end
        if taken[1] then call('ZREM', lane, unpack(taken)) end
        if group.size == 1 then return '' end
        call('RPUSH', group.key, unpack(group.ids))
        call('HSET', b.ops .. leader, 'ExecutionGroup', group.name, 'NumFollowers', group.size - 1)
        return group.alike and 'e' or 'g'
    end

    -- ---- outcomes ----

    -- What its leader's lease says of a live follower holds no longer.
    local function touch(b, rec)
        local list = rec.group and b.prefix .. KEY.GROUP .. rec.group
        if list and call('EXISTS', list) == 1 then call('RPUSH', list, '') end
    end

    -- A live follower leaves its group: it failed, did not run, or is known to run elsewhere.
    function group_leave(b, rec)
        touch(b, rec)
        call('HDEL', b.ops .. rec.id, 'ExecutionGroup', 'GroupLeaderId')
        local leader = b.ops .. rec.leader
        if call('HGET', leader, 'ExecutionGroup') == rec.group and call('HEXISTS', leader, 'NumFollowers') == 1 then
            if call('HINCRBY', leader, 'NumFollowers', -1) <= 0 then
                call('HDEL', leader, 'ExecutionGroup', 'NumFollowers')
            end
            edited(b, rec.leader, call('HGET', leader, 'Status'))
        end
        rec.group, rec.leader = nil, nil
    end

    -- A live follower succeeded. What it becomes its leader's end decides, mostly in the same call: then it need not be read
    -- again. Its sequence need not wait for that.
    function group_succeeded(b, rec, finished, result)
        touch(b, rec)
        if rec.payload then
            call('HSET', b.ops .. rec.id, 'ok', integer(finished), 'in', '')
        else
            call('HSET', b.ops .. rec.id, 'ok', integer(finished))
        end
        if rec.large then b.unneeded[#b.unneeded + 1] = b.prefix .. KEY.IN .. rec.id end
        if result ~= '' then call('SET', b.prefix .. KEY.OUT .. rec.id, result) end
        cancel_remove(b, rec.id)
        count_total(b, 'finished', 1)
        sequence_moved(b, rec, 'Merged')
        b.touched[rec.id] = {leader = rec.leader, group = rec.group, succeeded = integer(finished)}
    end

    -- Is it in the group still, running? f: of MEMBER.
    local function is_live(f, leader, group)
        return f[MEMBER.STATUS] == 'Merged' and f[MEMBER.LEADER_ID] == leader and f[MEMBER.EXECUTION_GROUP] == group and
            not f[MEMBER.EXPIRES_AT]
    end

    -- Is it in the group still, and has it succeeded (when)?
    local function member_read(b, leader, id, ended)
        local known = b.touched[id]
        if type(known) == 'table' then
            return known.leader == leader.id and known.group == ended.group, known.succeeded
        end
        local f = call('HMGET', b.ops .. id, MEMBER.NAMES)
        return is_live(f, leader.id, ended.group), f[MEMBER.SUCCEEDED]
    end

    -- One that was in the group when the leader's execution ended, and has not failed.
    local function settle_member(b, leader, id, ended)
        local is_member, succeeded = member_read(b, leader, id, ended)
        if not is_member then return end
        op_touch(b, id)
        if not succeeded then return ended.unanswered(b, record_load(b, id), ended) end
        local retention = retention_of(b, leader.type, 'Complete')
        done_add(b, retention, id)
        if not ended.complete and not leader.led then
            call('HSET', b.ops .. leader.id, 'led', '1')
            leader.led = '1'
        end
        if ended.complete then
            transition(b, leader.type, id, 'Merged', 'Merged', 'ExpiresAt',
                       time_text(b, ended.finished + retention * 1000))
        else
            transition(b, leader.type, id, 'Merged', 'Complete', 'FinishedAt', succeeded, 'ExpiresAt',
                       integer(tonumber(succeeded) + retention * 1000))
        end
    end

    -- The execution of a leader that runs is over. ended: `complete` and `finished`, when the leader succeeded; `unanswered`
    -- (b, rec, ended) is called for followers that no entry told of. The leader itself is the caller's, before or after; it
    -- loses its group's fields when it did not complete. Answers whether there were followers at all.
    function group_end(b, leader, ended)
        if not leader.lane or leader.status ~= 'Running' then return false end
        local key = group_key(b, leader.id, leader.token)
        local ids = call('LRANGE', key, 1, -1)
        if not ids[1] then return false end
        ended.group = key:sub(#b.prefix + 8)
        for _, id in ipairs(ids) do
            if id ~= '' then settle_member(b, leader, id, ended) end
        end
        if not ended.complete then
            call('HDEL', b.ops .. leader.id, 'ExecutionGroup', 'NumFollowers')
            leader.group = nil
        end
        call('DEL', key)
        b.work = (b.work or 0) + #ids
        return true
    end

    -- ---- a group that succeeds as a whole, in one call ----

    -- Does this call tell the success of just these, under the leader's token? Then a lease that says `e` says all of them.
    local function told_alike(b, ids, token, told)
        for _, id in ipairs(ids) do
            if not told[id] or told[id].token ~= token or b.touched[id] then return false end
        end
        return true
    end

    -- Every follower's record, in the order of `ids`; nil: there is one that this call does not tell the success of, or
    -- of which more is to be known.
    local function members_of(b, leader, ids, group, told)
        local members = {}
        for n, id in ipairs(ids) do
            local entry = told[id]
            if not entry or b.touched[id] then return nil end
            local f = call('HMGET', b.ops .. id, MEMBER_MORE.NAMES)
            if not is_live(f, leader, group) or f[MEMBER.SUCCEEDED] or f[MEMBER_MORE.MORE] ~= 'l' or
                f[MEMBER_MORE.TOKEN] ~= entry.token then
                return nil
            end
            members[n] = f
        end
        return members
    end

    -- A leader's success is told, and before it in the same call its followers': told, by Id, `count` of them. Writes what
    -- group_succeeded and group_end would, each record once; the leader is the caller's. alike: what its lease says. false,
    -- and nothing is written: it is not as simple as that.
    function group_complete(b, type, leader, token, alike, finished, told, count)
        local key = group_key(b, leader, token)
        local ids = call('LRANGE', key, 1, -1)
        if ids[#ids] == '' then                     -- touched
            alike = false
            while ids[#ids] == '' do ids[#ids] = nil end
        end
        if count == 0 or #ids ~= count or b.touched[leader] then return false end
        alike = alike and told_alike(b, ids, token, told)
        local members = not alike and members_of(b, leader, ids, key:sub(#b.prefix + 8), told)
        if not alike and not members then return false end
        local retention, now = retention_of(b, type, 'Complete'), b.now_text
        local steps, done, expires = moved_ids(b, type, 'Merged', 'Merged'), done_ids(b, retention),
                                     time_text(b, finished + retention * 1000)
        for n, id in ipairs(ids) do
            local f, entry = members and members[n], told[id]
            local succeeded = time_text(b, entry.finished)
            if alike or f[MEMBER_MORE.PAYLOAD] then
                call('HSET', b.ops .. id, 'SystemModstamp', now, 'ok', succeeded, 'ExpiresAt', expires, 'in', '')
            else
                call('HSET', b.ops .. id, 'SystemModstamp', now, 'ok', succeeded, 'ExpiresAt', expires)
                if f[MEMBER_MORE.LARGE] then b.unneeded[#b.unneeded + 1] = b.prefix .. KEY.IN .. id end
            end
            if entry.result ~= '' then call('SET', b.prefix .. KEY.OUT .. id, entry.result) end
            cancel_remove(b, id)
            stat_time(b, 'r', entry.duration)
            steps[#steps + 1], done[#done + 1] = id, id
            b.touched[id] = b.writes
        end
        count_total(b, 'finished', count)
        call('DEL', key)
        return true
    end
end
