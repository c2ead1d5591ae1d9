-- What every function begins with: the keys of a shard, the gate, the clock. Functions share no globals and
-- redis.call does not exist at load time: it is bound when a function is entered.
local call

-- A key of the shard: key(prefix, 'pending', 'WebCart') -> bgop:{7}:pending:WebCart. README.md lists all of them.
local function key(prefix, name, of)
    if of then return prefix .. ':' .. name .. ':' .. of end
    return prefix .. ':' .. name
end

-- Tests and the simulation replace the lines between the two marks by a clock of their own.
-- clock: begin
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

-- now = max(last time seen, clock), read once a call and written back to the gate (by flush).
local function now_from(last)
    local last_ms, clock = tonumber(last or 0), clock_ms()
    return clock > last_ms and clock or last_ms
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

-- The gate of every mutating function: KEYS[1] is the shard's prefix, args[1] the caller's generation. Answers what
-- the call needs to know, or nil and the refusal. open_only: closed while the shard replays its logs.
local function gate_pass(keys, args, open_only)
    call, numbers = redis.call, {}
    if #keys ~= 1 then return nil, invalid('one key expected: bgop:{<shard>}') end
    local prefix = keys[1]
    local g = call('HMGET', prefix .. ':gate', 'gen', 'run', 'mode', 'now', 'floor', 'lease_ms', 'retry_max_delay_ms',
                   'pressure')
    if not g[1] or g[2] ~= run_id() then return nil, refuse('FENCED 0') end
    if g[1] ~= args[1] then return nil, refuse('FENCED ' .. g[1]) end
    if open_only and g[3] ~= 'OPEN' then return nil, refuse('RECOVERING generation ' .. g[1]) end
    return {prefix = prefix, generation = g[1], mode = g[3], last = g[4], now = now_from(g[4]),
            floor = tonumber(g[5] or 0), lease_ms = tonumber(g[6]),
            retry_max_delay_ms = tonumber(g[7]), pressure = g[8]}
end
