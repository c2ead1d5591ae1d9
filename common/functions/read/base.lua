-- What the read-only functions share: failing with a code, arguments, shards and Ids, dates, JSON by hand (cjson writes
-- an empty array as {}, large numbers with an exponent, and members in no order).
local read = {
    ID_MAX = 200,           -- Ids of a retrieve, rows of a find
    PAGE_MAX = 500,         -- Ids of a page
    generation = {},        -- of the shards whose gate was read; tells whether a kept copy of the Types is current
    calls = {},             -- the functions by name: calls.bgop_find(keys, args)
    parts = {},
}

-- One concern's code with the functions it provides (in read.calls). While a library is being loaded Redis gives it
-- nothing but redis.register_function, not even ipairs: so the code runs when a reading function is first called.
function read.part(names, body)
    read.parts[#read.parts + 1] = body
    for i = 1, #names do
        redis.register_function{
            function_name = names[i],
            flags = {'no-writes'},
            callback = function(keys, args) return read.enter(names[i], keys, args) end,
        }
    end
end

-- Answers what the function answers, or the error it failed with.
function read.enter(name, keys, args)
    call = redis.call
    if read.parts then
        local parts = read.parts
        read.parts = nil
        for i = 1, #parts do parts[i]() end
    end
    local done, answer = pcall(read.calls[name], keys, args)
    if done then return answer end
    if type(answer) == 'table' and answer.read_error then return refuse(answer.read_error) end
    error(answer, 0)
end

read.part({}, function()
    -- ---- failing ----

    -- Ends the call with a Redis error: its first word is the code (README.md, "Error codes").
    function read.fail(code, format, ...)
        error({read_error = code .. ' ' .. string.format(format, ...)}, 0)
    end

    -- What a caller wrote, fit to stand in an error: short, and one line.
    function read.quote(text)
        text = tostring(text)
        if #text > 80 then text = text:sub(1, 80) .. '...' end
        return "'" .. text:gsub('%c', '?') .. "'"
    end

    -- Least number of characters to insert, remove or replace to make one word of the other.
    local function distance(a, b)
        local row = {}
        for j = 0, #b do row[j] = j end
        for i = 1, #a do
            local diagonal = row[0]
            row[0] = i
            for j = 1, #b do
                local cost = a:byte(i) == b:byte(j) and 0 or 1
                local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
                diagonal = row[j]
                row[j] = best
            end
        end
        return row[#b]
    end

    -- ", did you mean X?" with the candidate nearest to a word, or nothing when none is near.
    function read.nearest(word, candidates)
        local lower = tostring(word):sub(1, 64):lower()
        local best, least = nil, math.max(1, math.floor(#lower / 3)) + 1
        for _, candidate in ipairs(candidates) do
            local d = distance(lower, candidate:lower())
            if #lower >= 3 and candidate:lower():sub(1, #lower) == lower then d = math.min(d, 1) end
            if d < least then best, least = candidate, d end
        end
        return best and (', did you mean ' .. best .. '?') or ''
    end

    -- ---- shards ----

    -- The shards a call asks: the one named by its key, or all of this server. Empty: no queue was ever set up here.
    function read.shards(keys)
        if #keys > 1 then read.fail('MALFORMED_QUERY', 'give no key (all shards) or one key bgop:{<shard>}') end
        if #keys == 1 then
            local shard = tonumber(keys[1]:match('^bgop:{(%d+)}$'))
            if not shard then read.fail('MALFORMED_QUERY', 'the key is bgop:{<shard>}, not %s', read.quote(keys[1])) end
            return {shard}
        end
        local shards = {}
        for shard = 0, (tonumber(call('HGET', KEY.META, 'shards')) or 0) - 1 do shards[#shards + 1] = shard end
        return shards
    end

    local prefixes, ops = {}, {}
    function read.prefix(shard)
        local prefix = prefixes[shard] or 'bgop:{' .. shard .. '}'
        prefixes[shard] = prefix
        return prefix
    end
    function read.ops(shard)            -- of the records' keys
        local prefix = ops[shard] or read.prefix(shard) .. KEY.OP
        ops[shard] = prefix
        return prefix
    end

    -- Mode and generation of a shard: OPEN; RECOVERING (also when not yet armed for this server: the data may be older
    -- than what was answered before); EMPTY: never armed.
    local function mode_of(generation, run, mode)
        return not generation and 'EMPTY' or run == run_id() and mode or 'RECOVERING'
    end

    function read.gate(shard)
        local gate = call('HMGET', read.prefix(shard) .. KEY.GATE, GATE_STATE.NAMES)
        local generation = gate[GATE_STATE.GENERATION]
        return mode_of(generation, gate[GATE_STATE.RUN], gate[GATE_STATE.MODE]), generation or ''
    end

    -- shard -> its gate, for who tells of whole shards: asked once a call, because all of its parts want something of it.
    -- life: changes whenever the data may have become others (armed again, FLUSHALL, failover); nil: never armed.
    -- minute: the one that is being counted in; those before it do not change any more.
    function read.gates(shards)
        local gates = {}
        for _, shard in ipairs(shards) do
            local g = call('HMGET', read.prefix(shard) .. KEY.GATE, GATE_SEEN.NAMES)
            local generation, run, armed = g[GATE_SEEN.GENERATION], g[GATE_SEEN.RUN], g[GATE_SEEN.ARMED]
            local now = tonumber(g[GATE_SEEN.NOW] or 0)
            gates[shard] = {
                mode = mode_of(generation, run, g[GATE_SEEN.MODE]), run = run, armed = tonumber(armed or nil),
                life = generation and generation .. ' ' .. (run or '') .. ' ' .. (armed or ''),
                now = now, minute = math.floor(now / 60000), rolled = tonumber(g[GATE_SEEN.ROLLED] or nil),
                floor = tonumber(g[GATE_SEEN.FLOOR] or 0), lease_ms = tonumber(g[GATE_SEEN.LEASE_MS] or nil),
                ahead = tonumber(g[GATE_SEEN.AHEAD] or 0), ahead_since = tonumber(g[GATE_SEEN.AHEAD_SINCE] or nil),
            }
        end
        return gates
    end

    -- The queue's time, and this server's clock: they differ while the clock is ahead (write/clock.lua).
    function read.now(shards, gates)
        local clock, ahead = clock_ms(), 0
        if shards[1] then
            ahead = gates and gates[shards[1]].ahead or
                    not gates and tonumber(call('HGET', read.prefix(shards[1]) .. KEY.GATE, 'ahead') or 0)
        end
        return clock - ahead, clock
    end

    -- Record reads are refused while a shard replays its log.
    function read.require_open(shards)
        if #shards == 0 then read.fail('RECOVERING', 'no coordinator has set up a queue on this Redis yet') end
        for _, shard in ipairs(shards) do
            local mode, generation = read.gate(shard)
            if mode == 'EMPTY' then read.fail('RECOVERING', 'shard %d is not set up yet', shard) end
            if mode ~= 'OPEN' then read.fail('RECOVERING', 'shard %d replays its log, try again shortly', shard) end
            read.generation[shard] = generation
        end
    end

    -- The settings of a Type that a record with version v (nil: the first) was made with.
    local own, settings_of_first = {}, {}       -- shard -> { generation, Type -> settings }
    for _, record_type in ipairs(TYPES) do own[record_type.name] = record_type end
    function read.settings(shard, type, v)
        local generation, first = read.generation[shard], settings_of_first[shard]
        if not first or first.generation ~= generation then
            first = {generation = generation, of = {}}
            settings_of_first[shard] = first
        end
        if not v and first.of[type] then return first.of[type] end
        local settings = type_settings(read.prefix(shard), generation, type, v or '1') or own[type] or own.XClean
        if not v then first.of[type] = settings end
        return settings
    end

    -- The settings of a record's Type as they are now.
    function read.type_now(h)
        return type_settings(read.prefix(h.shard), read.generation[h.shard], h.Type) or own[h.Type] or own.XClean
    end

    -- ---- order of texts ----

    -- a before b, byte by byte. Lua compares as the server's locale does, which need not be C: then by hand.
    local function bytes_before(a, b)
        local shorter = math.min(#a, #b)
        for i = 1, shorter do
            local x, y = a:byte(i), b:byte(i)
            if x ~= y then return x < y end
        end
        return #a < #b
    end
    local by_bytes = 'B' < 'a' and 'a' < 'b' and 'a b' < 'aa' and '-b' < 'a' and 'Z' < '\195\132'
    read.text_before = by_bytes and function(a, b) return a < b end or bytes_before

    -- ---- Ids ----

    local DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
    local SUFFIX = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'
    local digit_value, first_suffix = {}, {}
    for i = 1, #DIGITS do digit_value[DIGITS:byte(i)] = i - 1 end

    local function suffix_character(five)
        local index = 0
        for j = 1, 5 do
            local byte = five:byte(j)
            if byte >= 65 and byte <= 90 then index = index + 2 ^ (j - 1) end
        end
        return SUFFIX:sub(index + 1, index + 1)
    end

    function read.id_suffix(id15)
        local first = id15:sub(1, 5)                  -- 08P, epoch, half of the shard: few, so remembered
        local known = first_suffix[first]
        if not known then
            known = suffix_character(first)
            first_suffix[first] = known
        end
        return known .. suffix_character(id15:sub(6, 10)) .. suffix_character(id15:sub(11, 15))
    end

    -- The 18 characters and the shard of an Id given with 15 or 18; nil when it is none of ours. Whether the suffix of
    -- 18 is the right one is for id_check: a record is found under the right one only.
    function read.id_parse(text)
        if type(text) ~= 'string' or (#text ~= 15 and #text ~= 18) then return nil end
        if text:find('^08P%w*$') == nil then return nil end
        local id = #text == 15 and text .. read.id_suffix(text) or text
        local high, low = id:byte(5, 6)
        return id, digit_value[high] * 62 + digit_value[low]
    end

    function read.id_check(id) return id:sub(16) == read.id_suffix(id:sub(1, 15)) end

    -- The same, where anything else is an error.
    function read.id_require(text)
        local id, shard = read.id_parse(text)
        if not id or not read.id_check(id) then read.fail('MALFORMED_ID', 'malformed id %s', read.quote(text)) end
        return id, shard
    end

    -- ---- dates ----

    -- The civil date of a number of days since 1970-01-01 (proleptic Gregorian; years are counted from March).
    local function civil_from_days(days)
        local z = days + 719468
        local era = math.floor(z / 146097)
        local doe = z - era * 146097
        local leap = math.floor(doe / 36524) - math.floor(doe / 1460) - math.floor(doe / 146096)
        local yoe = math.floor((doe + leap) / 365)
        local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
        local mp = math.floor((5 * doy + 2) / 153)
        local month = mp + (mp < 10 and 3 or -9)
        return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - math.floor((153 * mp + 2) / 5) + 1
    end

    -- A table that makes what is asked for, and remembers the last ones.
    function read.remembering(make)
        local count = 0
        return setmetatable({}, {__index = function(known, name)
            if count == 2000 then
                for old in pairs(known) do known[old] = nil end
                count = 0
            end
            local value = make(name)
            known[name], count = value, count + 1
            return value
        end})
    end

    -- read.dates[ms as text] is the date as JSON: "2026-11-23T10:00:00.000+0000". Made of texts of few kinds: Redis
    -- waits for this up to a thousand times a call.
    local seconds, thousandths = {}, {}
    for i = 0, 59 do seconds[i] = string.format('%02d.', i) end
    for i = 0, 999 do thousandths[i] = string.format('%03d+0000"', i) end
    local days = read.remembering(function(day) return string.format('"%04d-%02d-%02dT', civil_from_days(day)) end)
    local minutes = read.remembering(function(minute)
        return string.format('%02d:%02d:', math.floor(minute / 60), minute % 60)
    end)

    local floor = math.floor
    read.dates = read.remembering(function(text)
        local ms = tonumber(text)
        local second = floor(ms / 1000)
        local minute = floor(second / 60)
        local day = floor(minute / 1440)
        return days[day] .. minutes[minute - day * 1440] .. seconds[second - minute * 60] ..
               thousandths[ms - second * 1000]
    end)

    -- 2026-11-23T10:00:00.000+0000
    function read.date(ms_text) return read.dates[ms_text]:sub(2, -2) end

    -- ---- JSON ----

    local ESCAPES = {['"'] = '\\"', ['\\'] = '\\\\', ['\n'] = '\\n', ['\r'] = '\\r', ['\t'] = '\\t', ['\b'] = '\\b',
                                  ['\f'] = '\\f'}
    local function escape(c) return ESCAPES[c] or string.format('\\u%04x', c:byte()) end

    -- Bytes of the UTF-8 character that begins at i, or nil when none does.
    local function utf8_size(text, i)
        local a, b, c, d = text:byte(i, i + 3)
        local function tail(byte) return byte and byte >= 0x80 and byte <= 0xbf end
        if a < 0x80 then return 1 end
        if a >= 0xc2 and a <= 0xdf then return tail(b) and 2 end
        if a >= 0xe0 and a <= 0xef then
            if not tail(b) or not tail(c) or (a == 0xe0 and b < 0xa0) or (a == 0xed and b > 0x9f) then return nil end
            return 3
        end
        if a >= 0xf0 and a <= 0xf4 then
            if not tail(b) or not tail(c) or not tail(d) then return nil end
            return ((a > 0xf0 or b >= 0x90) and (a < 0xf4 or b <= 0x8f)) and 4 or nil
        end
    end

    -- Text that is no UTF-8 (a handler's standard error may be anything) must not make the whole answer unreadable.
    local function utf8_repair(text)
        local out, i = {}, 1
        while i <= #text do
            local size = utf8_size(text, i)
            out[#out + 1] = size and text:sub(i, i + size - 1) or '\239\191\189'
            i = i + (size or 1)
        end
        return table.concat(out)
    end

    function read.json_text(text)
        if not text:find('[%c"\\\128-\255]') then return '"' .. text .. '"' end
        if text:find('[\128-\255]') then text = utf8_repair(text) end
        return '"' .. text:gsub('[%c"\\]', escape) .. '"'
    end

    function read.json_texts(texts)
        local out = {}
        for i, text in ipairs(texts) do out[i] = read.json_text(text) end
        return '[' .. table.concat(out, ',') .. ']'
    end

    function read.json_text_or_null(text) return text and read.json_text(text) or 'null' end

    -- A count or a length of time: whole numbers stay whole whatever their size.
    function read.json_number(number) return string.format('%.0f', number) end
end)
