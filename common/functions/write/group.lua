-- Execution groups: a leader that runs, and the followers it took along when it was claimed, which are Merged. The key
-- group:<leader>-<attempt> lists who was in it, the leader first, until its execution has ended; who has failed leaves
-- the group, but stays in that list. One entry of the status log a member, the leader's last (worker/reporter.c).
--   Merged, neither `ok` nor ExpiresAt     runs
--   Merged, `ok` (a time)                  succeeded then; its leader runs still
--   Merged, ExpiresAt                      succeeded, like its leader (`ok` stays)
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
        if not lease:find('^%S+ %S+ %S+ %S+ %Ss?lg') then return nil end
        return call('LRANGE', group_key(b, id, lease:match('^%S+')), 0, -1)
    end

    -- Does it lead others, as far as its lease knows? Where Redis went backwards and forgot with whom it runs, perhaps; the
    -- verdict on it says so in the log, where nothing is forgotten any more.
    function group_may_lead(b, rec, lease)
        local mark = lease:match('^%S+ %S+ %S+ %S+ %Ss?l([gf])')
        return mark == 'g' or mark == 'f' and ((b.types.current[rec.type] or {}).merge_max or 1) > 1
    end

    -- ---- claim ----

    -- offer: claim.lua. A member that can go along: as claim's record_read (its layout begins with that one), then what
    -- else is to be known.
    local function candidate(b, id)
        local f = call('HMGET', b.ops .. id, CANDIDATE.NAMES)
        f.read = 'all'
        f.bytes = tonumber(f[CANDIDATE.LARGE] or 0) + #(f[CANDIDATE.PAYLOAD] or '')
        f.waits = f[CANDIDATE.STATUS] == 'Waiting' or f[CANDIDATE.STATUS] == 'New'
        f.alone = is_alone(f[CANDIDATE.RETRY_COUNT], f[CANDIDATE.LOST], f[CANDIDATE.CRASHES], f[CANDIDATE.ALONE])
        return f
    end

    local function fits(group, f) return group.size < group.most and group.bytes + f.bytes <= group.most_bytes end

    local function take(b, offer, group, id, f)
        group.size, group.bytes = group.size + 1, group.bytes + f.bytes
        group.ids[group.size] = id
        offer.grant_follower(id, f, group)
    end

    -- Who stands behind a member in its sequence group goes along, as long as nothing comes between them.
    local function take_successors(b, offer, group, id, f)
        if not SEQUENCED[f[CANDIDATE.MORE]] then return end
        local name = sequence_name(offer.type, f[CANDIDATE.PARENT_KEY] or '', f[CANDIDATE.SEQUENCE_GROUP])
        local index = b.prefix .. KEY.SEQ .. name
        local rank = call('ZRANK', index, id)
        local ids = rank and call('ZRANGE', index, rank + 1, rank + group.most - group.size) or {}
        for _, next_id in ipairs(ids) do
            local next_f = candidate(b, next_id)
            if not next_f.waits or next_f.alone or not fits(group, next_f) then return end
            take(b, offer, group, next_id, next_f)
        end
    end

    -- Takes along what waits in the leader's lane, in its order, up to the Type's bounds. Answers whether there is any.
    function group_gather(b, offer, leader, token, more, parent)
        local settings = b.types.current[offer.type]
        if (settings.merge_max or 1) <= 1 then return false end
        local lane = b.prefix .. KEY.LANE .. lane_name(offer.type, parent)
        local waiting = call('ZRANGE', lane, 0, 2 * settings.merge_max - 1)
        if not waiting[1] and not SEQUENCED[more] then return false end
        local f = candidate(b, leader)
        if f.alone then return false end
        local group = {leader = leader, key = group_key(b, leader, token), size = 1, ids = {leader}, bytes = f.bytes,
                       most = settings.merge_max, most_bytes = settings.merge_max_bytes or MAX_BYTES}
        group.name = group.key:sub(#b.prefix + 8)
        take_successors(b, offer, group, leader, f)
        local taken = {}
        for _, id in ipairs(waiting) do
            local next_f = candidate(b, id)
            if not next_f.alone then
                if not fits(group, next_f) then break end
                take(b, offer, group, id, next_f)
                taken[#taken + 1] = id
                take_successors(b, offer, group, id, next_f)
            end
        end
        if taken[1] then call('ZREM', lane, unpack(taken)) end
        if group.size == 1 then return false end
        call('RPUSH', group.key, unpack(group.ids))
        call('HSET', b.ops .. leader, 'ExecutionGroup', group.name, 'NumFollowers', group.size - 1)
        return true
    end

    -- ---- outcomes ----

    -- A live follower leaves its group: it failed, did not run, or is known to run elsewhere.
    function group_leave(b, rec)
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
        for _, id in ipairs(ids) do settle_member(b, leader, id, ended) end
        if not ended.complete then
            call('HDEL', b.ops .. leader.id, 'ExecutionGroup', 'NumFollowers')
            leader.group = nil
        end
        call('DEL', key)
        b.work = (b.work or 0) + #ids
        return true
    end

    -- ---- a group that succeeds as a whole, in one call ----

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
    -- group_succeeded and group_end would, each record once; the leader is the caller's. false, and nothing is written: it
    -- is not as simple as that.
    function group_complete(b, type, leader, token, finished, told, count)
        local key = group_key(b, leader, token)
        local ids = call('LRANGE', key, 1, -1)
        local members = #ids == count and not b.touched[leader] and members_of(b, leader, ids, key:sub(#b.prefix + 8), told)
        if not members then return false end
        local retention, now = retention_of(b, type, 'Complete'), b.now_text
        local steps, done, expires = moved_ids(b, type, 'Merged', 'Merged'), done_ids(b, retention),
                                     time_text(b, finished + retention * 1000)
        for n, id in ipairs(ids) do
            local f, entry = members[n], told[id]
            local succeeded = time_text(b, entry.finished)
            if f[MEMBER_MORE.PAYLOAD] then
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
