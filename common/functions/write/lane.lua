-- Lanes: operations with a ParentKey, of a Type that merges or limits what runs of a ParentKey, take turns. A lane is
-- <Type>:<ParentKey>. So many are let out of it at a time (one where the Type merges: its head, which takes others of the
-- lane along when it is claimed): those are in `pending` or laid aside, or run. The others wait in the lane, and their
-- record is Waiting. Whatever ends a turn names the lane; flush then lets the next ones out (settle). Keys:
--   lane:<lane>      zset by time of release: who waits for a turn
--   lane_out:<lane>  set: who was let out, until the attempt has ended
local ready, lane_is_of, lane_touch, lane_admit, lane_wait, lane_done, lane_left, lane_unready, lane_runs
local lane_lets
do
    local UNLIMITED = 100           -- of a Type that has lost its limit: let out what is still in the lane

    function lane_is_of(settings)
        return (settings.merge_max or 1) > 1 or (settings.max_running_per_parent or 0) > 0
    end

    local function places(b, type)
        local settings = b.types.current[type] or {}
        if (settings.merge_max or 1) > 1 then return 1 end
        local limit = settings.max_running_per_parent or 0
        return limit > 0 and limit or UNLIMITED
    end

    function lane_touch(b, lane)
        if b.lanes[lane] then return end
        b.lanes[lane] = true
        b.lanes[#b.lanes + 1] = lane
    end

    local function is_out(b, lane, id) return call('SISMEMBER', b.prefix .. KEY.LANE_OUT .. lane, id) == 1 end

    -- Has it the turn at once, coming now? Then it is out; else it may wait in the lane (lane_wait), or enter it later by
    -- `ready`.
    function lane_admit(b, type, lane, id)
        local out, free = b.prefix .. KEY.LANE_OUT .. lane, b.lane_free[lane]
        if not free then
            free = places(b, type) - call('SCARD', out)
            if free > 0 and call('EXISTS', b.prefix .. KEY.LANE .. lane) == 1 then      -- others waited for what is free now
                lane_touch(b, lane)
                free = 0
            end
        end
        if b.lane_add[lane] then free = 0 end
        b.lane_free[lane] = free - 1
        if free > 0 then call('SADD', out, id) end
        return free > 0
    end

    -- Ready, and no place is free: whatever ends a turn lets it out.
    function lane_wait(b, lane, id)
        add_to(b.lane_add, lane, b.now_text)
        add_to(b.lane_add, lane, id)
    end

    -- Nothing holds it any more but, where it has a lane, its turn. Whatever ends a wait comes through here.
    function ready(b, type, id, lane)
        if not lane or is_out(b, lane, id) then return release(b, type, id) end
        lane_wait(b, lane, id)
        lane_touch(b, lane)             -- a place may be free
    end

    -- The turn of one that ran is over.
    function lane_done(b, lane, id)
        call('SREM', b.prefix .. KEY.LANE_OUT .. lane, id)
        lane_touch(b, lane)
    end

    local function leave(b, lane, id)
        call('ZREM', b.prefix .. KEY.LANE .. lane, id)
        lane_done(b, lane, id)
    end

    -- Its attempt is over, or it waits no longer.
    function lane_left(b, rec)
        if not rec.lane or rec.status == 'Merged' then return end
        if rec.status == 'Running' then return lane_done(b, rec.lane, rec.id) end
        leave(b, rec.lane, rec.id)
    end

    -- It was ready, and is held again.
    function lane_unready(b, type, id)
        local f = call('HMGET', b.ops .. id, LANED_BY.NAMES)
        if LANED[f[LANED_BY.MORE]] then leave(b, lane_name(type, f[LANED_BY.PARENT_KEY]), id) end
    end

    -- It runs though nobody let it out: an attempt that Redis forgot.
    function lane_runs(b, rec)
        if not rec.lane then return end
        call('SADD', b.prefix .. KEY.LANE_OUT .. rec.lane, rec.id)
        call('ZREM', b.prefix .. KEY.LANE .. rec.lane, rec.id)
        b.lane_taken_up = true          -- more may be out now than may be
        lane_touch(b, rec.lane)
    end

    -- May this one be in `pending`, as far as its lane is concerned? For who puts back what was laid aside.
    function lane_lets(b, type, id, more, parent)
        return not LANED[more] or is_out(b, lane_name(type, parent), id)
    end

    -- More are out than may be: those that do not run go back.
    local function take_back(b, lane, type, out, count)
        local ids = call('SMEMBERS', out)
        table.sort(ids)
        for n = #ids, 1, -1 do
            if count == 0 then return end
            local id = ids[n]
            local status = call('HGET', b.ops .. id, 'Status')
            if status ~= 'Running' then
                call('SREM', out, id)
                if status == 'New' or status == 'Waiting' then
                    call('ZADD', b.prefix .. KEY.LANE .. lane, b.now_text, id)
                    call('ZREM', b.prefix .. KEY.PENDING .. type, id)
                end
                if status == 'New' then transition(b, type, id, 'New', 'Waiting') end
                count = count - 1
            end
        end
    end

    local function settle(b, lane)
        local type, key, out = lane:match('^[^:]+'), b.prefix .. KEY.LANE .. lane, b.prefix .. KEY.LANE_OUT .. lane
        if not b.lane_taken_up and call('EXISTS', key) == 0 then return end
        local free = places(b, type) - call('SCARD', out)
        if free < 0 then return take_back(b, lane, type, out, -free) end
        if free == 0 then return end
        local popped = call('ZPOPMIN', key, free)
        for n = 1, #popped, 2 do
            call('SADD', out, popped[n])
            release(b, type, popped[n])
            count_waited(b, 'turn', b.now - tonumber(popped[n + 1]))
        end
    end
    at_flush('lanes', function(b, lanes)
        for _, lane in ipairs(lanes) do settle(b, lane) end
    end)
end
