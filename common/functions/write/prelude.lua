-- What every function begins with: the gate, the clock. Functions share no globals and redis.call does not exist at load
-- time: it is bound when a function is entered.
-- A key of the shard is its prefix and a pattern of common/record/keys.h: prefix .. KEY.GATE, prefix .. KEY.PENDING .. type.
local call

-- Tests and the simulation replace the lines between the two marks by a clock of their own.
-- clock: begin
local GAP_MS = BOUND.CLOCK_GAP_MS
local function clock_ms()
    local time = call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
-- clock: end

local function integer(number) return string.format('%.0f', number) end      -- tokens and times, without an exponent

-- This server's run id: a dataset that was armed on another one (restart, failover, promotion) is closed.
local server_run_id
local function run_id()
    server_run_id = server_run_id or call('INFO', 'server'):match('run_id:(%x+)')
    return server_run_id
end

local function refuse(text) return redis.error_reply(text) end
local function invalid(format, ...) return redis.error_reply('INVALID ' .. string.format(format, ...)) end

local MAX_ITEMS = 500           -- in one call
local MAX_BYTES = 1048576       -- of payloads in one answer
local ATTEMPTS = 1048576        -- token = generation * ATTEMPTS + attempt
local ID_SIZE = 18

-- How every answer begins that is no refusal.
local function answer_ok(now) return {[ANSWER.SAYS] = 'OK', [ANSWER.NOW] = now} end

-- The queue's time: max(last time seen, clock), read once a call and written back to the gate (by finish). From one call to
-- the next it goes on by GAP_MS at most. Has the clock gone on by more, then the shard was idle, or this server stood still,
-- or its clock was set; who has measured says which of these (bgop_clock), and until then the time is held where it was.
-- ahead: by how much the clock is known to be ahead of it. Answers the time, whether it is held, and the clock.
local function now_from(last, ahead)
    local last_ms, clock = tonumber(last or 0), clock_ms()
    local now = clock - tonumber(ahead or 0)
    if now <= last_ms then return last_ms, false, clock end
    if last_ms > 0 and now - last_ms > GAP_MS then return last_ms, true, clock end
    return now, false, clock
end

-- A whole number from 0 to 2^53, from the text of an argument; nil: it is none. The same few texts come again and again
-- in a batch, so they are remembered for the call.
local numbers = {}

local function whole(text)
    local number = numbers[text]
    if number == nil and text then
        number = #text <= 16 and text:find('^%d+$') and tonumber(text) or false
        numbers[text] = number
    end
    return number or nil
end

-- The gate of every mutating function: KEYS[1] is the shard's prefix, args[1] the caller's generation (every head
-- begins with it). Answers what the call needs to know, or nil and the refusal. open_only: closed while the shard replays
-- its logs. A call that comes while the time is held is refused, unless it says (may_hold) that it can be done all the same.
local function gate_pass(keys, args, open_only, may_hold)
    call, numbers = redis.call, {}
    if #keys ~= 1 then return nil, invalid('one key expected: bgop:{<shard>}') end
    local prefix = keys[1]
    local g = call('HMGET', prefix .. KEY.GATE, GATE.NAMES)
    local generation = g[GATE.GENERATION]
    if not generation or g[GATE.RUN] ~= run_id() then return nil, refuse('FENCED 0') end
    if generation ~= args[1] then return nil, refuse('FENCED ' .. generation) end
    if open_only and g[GATE.MODE] ~= 'OPEN' then return nil, refuse('RECOVERING generation ' .. generation) end
    local now, held, clock = now_from(g[GATE.NOW], g[GATE.AHEAD])
    if held and not may_hold then
        return nil, refuse('RECOVERING the clock of Redis went on by more than ' .. integer(GAP_MS) ..
                           ' ms: until a coordinator has told whether so much time has passed')
    end
    return {prefix = prefix, generation = generation, mode = g[GATE.MODE], last = g[GATE.NOW], now = now,
            clock = clock, ahead = g[GATE.AHEAD], floor = tonumber(g[GATE.FLOOR] or 0), lease_ms = tonumber(g[GATE.LEASE_MS]),
            retry_max_delay_ms = tonumber(g[GATE.RETRY_MAX_DELAY_MS]), pressure = g[GATE.PRESSURE]}
end
