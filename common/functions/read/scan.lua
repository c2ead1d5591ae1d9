-- A scan: all candidates of a source are looked at, some hundred a call, and the best of them by an order are kept in
-- the cursor: their Ids and values. When all were looked at, the kept ones are the next rows, in order; then the next
-- scan looks for what stands behind the last of them. So any order is exact in bounded calls: the cost of a page's rows
-- is a look at every candidate, shared by KEPT_MAX rows.
--   scan = {source, at (its position), ended, more (were any not kept?), after (an entry), kept (entries in order)}
--   entry = {id, value (text; nil: null), key (what is compared)}
-- Sources: `ids`, `names` (of conditions on them), `parent`, `running`, `errors`, `due`, `new` (indexes of a ParentKey
-- and of statuses), `born` (everything).
read.part({}, function()
    local SCAN_COUNT = 100          -- of one command
    local KEPT_MAX = 200            -- entries in a cursor
    local KEPT_BYTES = 20000        -- of their values

    -- ---- entries ----

    local function encode(value)
        return (value:gsub('[^%w%-_./:;@+= ]', function(c) return string.format('%%%02X', c:byte()) end))
    end

    local function decode(text)
        if text:find('[^%w%-_./:;@+= %%]') then return nil end
        return (text:gsub('%%(%x%x)', function(hex) return string.char(tonumber(hex, 16)) end))
    end

    local function is_number(field) return field.type == 'int' or field.type == 'dateTime' end

    local function key_of(field, value)
        if value and is_number(field) then return tonumber(value) end
        return value
    end

    function read.entry_text(entry)
        return entry.id .. ':' .. (entry.value and 'v' .. encode(entry.value) or 'n')
    end

    -- nil: it is none of this field.
    function read.entry_parse(text, field)
        local id, kind, rest = text:match('^(%w*):([nv])(.*)$')
        if not id or id ~= '' and not read.id_parse(id) then return nil end
        if kind == 'n' then return rest == '' and {id = id} or nil end
        local value = decode(rest)
        local key = value and key_of(field, value)
        return key and {id = id, value = value, key = key} or nil
    end

    -- before(a, b) of entries: nulls come first in a rising order; ties by Id, in the same direction.
    function read.order_before(field, descending)
        local text_before, numeric = read.text_before, is_number(field)
        return function(a, b)
            if descending then a, b = b, a end
            local x, y = a.key, b.key
            if x == y then return a.id < b.id end
            if x == nil or y == nil then return x == nil end
            if numeric then return x < y end
            return text_before(x, y)
        end
    end

    -- ---- scans ----

    function read.scan_begin(source, after) return {source = source, at = '', after = after, kept = {}} end

    -- With what is kept from place `first` on.
    function read.scan_text(scan, first)
        local parts = {scan.source, scan.at, scan.ended and 'e' or 's', scan.more and 'm' or '-',
                       scan.after and read.entry_text(scan.after) or ''}
        for i = first, #scan.kept do parts[#parts + 1] = read.entry_text(scan.kept[i]) end
        return table.concat(parts, '|')
    end

    -- nil: it is none.
    function read.scan_parse(text, field)
        local parts = {}
        for part in (text .. '|'):gmatch('([^|]*)|') do parts[#parts + 1] = part end
        if #parts < 5 or #parts > 5 + KEPT_MAX then return nil end
        local scan = {source = parts[1], at = parts[2], ended = parts[3] == 'e', more = parts[4] == 'm', kept = {}}
        if parts[5] ~= '' then
            scan.after = read.entry_parse(parts[5], field)
            if not scan.after then return nil end
        end
        for i = 6, #parts do
            local entry = read.entry_parse(parts[i], field)
            if not entry or entry.id == '' then return nil end
            scan.kept[i - 5] = entry
        end
        return scan
    end

    -- The best of those kept (in order) and the fresh ones, in order, and no more than fit: what does not is found
    -- again by a later scan.
    local function take_best(scan, fresh, before)
        table.sort(fresh, before)
        local old, best, i, k, bytes = scan.kept, {}, 1, 1, 0
        while old[i] or fresh[k] do
            local entry
            if not fresh[k] or old[i] and before(old[i], fresh[k]) then
                entry, i = old[i], i + 1
            else
                entry, k = fresh[k], k + 1
            end
            bytes = bytes + #(entry.value or '')
            if #best == KEPT_MAX or (best[1] and bytes > KEPT_BYTES) then
                scan.more = true
                break
            end
            best[#best + 1] = entry
        end
        scan.kept = best
    end

    -- Looks at the next `most` candidates or some more; judge(shard, id) answers whether one counts, and its value.
    -- Answers how many they were.
    function read.scan_run(scan, source, order, judge, most)
        if scan.ended then return 0 end
        local field, before = order.field, order.before
        local kept, fresh, looked, after, met = scan.kept, {}, 0, scan.after, {}
        for _, entry in ipairs(kept) do met[entry.id] = true end
        local worst = scan.more and kept[#kept] or nil          -- nothing behind it is kept any more
        source.begin(scan.at)
        while looked < most or not source.is_resting() do
            local id, shard = source.next()
            if not id then
                scan.ended = true
                break
            end
            looked = looked + 1
            local counts, value = judge(shard, id)
            if counts and not met[id] then
                local entry = {id = id, value = value, key = key_of(field, value)}
                if (not after or before(after, entry)) and (not worst or before(entry, worst)) then
                    fresh[#fresh + 1], met[id] = entry, true
                end
            end
        end
        take_best(scan, fresh, before)
        scan.at = scan.ended and '' or source.at()
        return looked
    end

    -- ---- sources ----
    -- {name, count(), begin(at), next() -> Id, shard; nil at the end, is_resting(): may it stop here?, at()}

    -- Ids that are known: sorted, each once.
    local function source_of_ids(name, ids, shards)
        local asked, seen, list, position = {}, {}, {}, 0
        for _, shard in ipairs(shards) do asked[shard] = true end
        for _, id in ipairs(ids) do
            local _, shard = read.id_parse(id)
            if asked[shard] and not seen[id] then list[#list + 1], seen[id] = {id = id, shard = shard}, true end
        end
        table.sort(list, function(a, b) return a.id < b.id end)
        return {
            name = name,
            count = function() return #list end,
            begin = function(at)
                while list[position + 1] and not (at < list[position + 1].id) do position = position + 1 end
            end,
            next = function()
                position = position + 1
                if list[position] then return list[position].id, list[position].shard end
            end,
            is_resting = function() return true end,
            at = function() return list[position] and list[position].id or '' end,
        }
    end

    local function source_of_walk(name, shards, walk, count)
        local next_of_walk, id, ms
        return {
            name = name, count = count,
            begin = function(at)
                local at_ms, at_id = at:match('^(%d+):(%w+)$')
                walk.newest_first = true
                walk.position = at_ms and {ms = tonumber(at_ms), id = at_id} or nil
                next_of_walk = read.walk(shards, walk)
            end,
            next = function()
                local next_id, next_shard, next_ms = next_of_walk()
                if next_id then id, ms = next_id, next_ms end
                return next_id, next_shard
            end,
            is_resting = function() return true end,
            at = function() return id and integer(ms) .. ':' .. id or walk.position and
                integer(walk.position.ms) .. ':' .. walk.position.id or '' end,
        }
    end

    -- Redis' own scans of one key after the other: what is in it all the while is met, perhaps twice; changes of the
    -- order inside (leases are renewed) do not matter. Position: which key, and its cursor.
    local function source_of_keys(name, command, keys, count)
        local key, cursor, members, position = 1, '0', {}, 0

        local function read_some()
            local answer = call(command, keys[key].name, cursor, 'COUNT', SCAN_COUNT)
            cursor, members, position = answer[1], answer[2], 0
            if cursor == '0' then key = key + 1 end
        end

        return {
            name = name, count = count,
            begin = function(at)
                local at_key, at_cursor = at:match('^(%d+):(%d+)$')
                if at_key and #at_key < 6 then key, cursor = tonumber(at_key), at_cursor end
            end,
            next = function()
                while position * 2 >= #members do
                    if not keys[key] then return nil end
                    local of = keys[key]
                    read_some()
                    members.shard = of.shard
                end
                position = position + 1
                return members[position * 2 - 1], members.shard
            end,
            is_resting = function() return position * 2 >= #members end,
            at = function() return key .. ':' .. cursor end,
        }
    end

    -- An index that every shard has.
    local function source_of_index(name, index, shards)
        local command, card = 'ZSCAN', 'ZCARD'
        if index == INDEX.LEASES then command, card = 'HSCAN', 'HLEN' end
        local keys = {}
        for i, shard in ipairs(shards) do keys[i] = {name = read.prefix(shard) .. ':' .. index, shard = shard} end
        return source_of_keys(name, command, keys, function()
            local count = 0
            for _, key in ipairs(keys) do count = count + call(card, key.name) end
            return count
        end)
    end

    -- What is New is claimable.
    local function source_of_new(shards)
        local keys = {}
        for _, shard in ipairs(shards) do
            local prefix = read.prefix(shard)
            for _, type in ipairs(types_of(prefix, read.generation[shard]).names) do
                local key = prefix .. KEY.PENDING .. type
                keys[#keys + 1] = {name = key, shard = shard, count = call('ZCARD', key)}
            end
        end
        return source_of_keys('new', 'ZSCAN', keys, function()
            local count = 0
            for _, key in ipairs(keys) do count = count + key.count end
            return count
        end)
    end

    local function born_walk(filter)
        local walk = {stream = INDEX.BORN}
        walk.least, walk.greatest = read.submitted_range(filter)
        return walk
    end

    local INDEX_OF_STATUS = {Running = INDEX.LEASES, Error = INDEX.ERRORS, Scheduled = INDEX.DUE}
    local NAME_OF_STATUS = {Running = 'running', Error = 'errors', Scheduled = 'due', New = 'new'}

    local function one(values) return values and #values == 1 and values[1] or nil end

    -- A source by its name; nil: these conditions do not allow it.
    function read.source(name, filter, shards)
        local equal, status = filter.equal, one(filter.equal.Status)
        if name == 'ids' and equal.Id then return source_of_ids(name, equal.Id, shards) end
        if name == 'names' and equal.Name then
            return source_of_ids(name, read.ids_of_names(shards, equal.Name), shards)
        end
        local parent = one(equal.ParentKey)
        if name == 'parent' and parent then
            local walk = {index = INDEX.PARENT .. parent}
            return source_of_walk(name, shards, walk, function()
                local count = 0
                for _, shard in ipairs(shards) do
                    count = count + call('ZCARD', read.prefix(shard) .. ':' .. walk.index)
                end
                return count
            end)
        end
        if status and name == NAME_OF_STATUS[status] then
            if status == 'New' then return source_of_new(shards) end
            return source_of_index(name, INDEX_OF_STATUS[status], shards)
        end
        if name == 'born' then return source_of_walk(name, shards, born_walk(filter)) end
        return nil
    end

    -- The source with the fewest candidates.
    function read.best_source(filter, shards)
        local known = read.source('ids', filter, shards) or read.source('names', filter, shards)
        if known then return known end
        local parent, status = read.source('parent', filter, shards), one(filter.equal.Status)
        local by_status = NAME_OF_STATUS[status] and read.source(NAME_OF_STATUS[status], filter, shards)
        if parent and by_status then return parent.count() <= by_status.count() and parent or by_status end
        return parent or by_status or read.source('born', filter, shards)
    end

    -- How many records there are.
    function read.records_counted(shards)
        local total = 0
        for _, shard in ipairs(shards) do
            local counts = call('HGETALL', read.prefix(shard) .. KEY.COUNTS)
            for i = 1, #counts, 2 do
                if counts[i]:find(':', 1, true) then total = total + tonumber(counts[i + 1]) end
            end
        end
        return total
    end
end)
