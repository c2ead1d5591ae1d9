-- bgop_find: records that meet conditions, in an order, page by page.
--   keys  none or bgop:{s}    args  {"where":[[field, operator, value]...], "order":"-SubmittedAt", "fields":[...],
--                                    "limit":50, "cursor":null}: all members optional (fields absent: all of them)
--   ->    {"rows":[...],"cursor":null}    errors INVALID_FIELD, MALFORMED_ID, MALFORMED_QUERY, RECOVERING
-- A call looks at a bounded number of records: a page may be short or empty while there is a cursor. In order of
-- submission everything can be walked through, and pages neither repeat nor lose what is there all the while. Any other
-- order is possible where the conditions (or the queue) leave few enough candidates to sort them at once.
read.part({'bgop_find'}, function()
    local EXAMINED_MAX = 500        -- records looked at in one call
    local QUERY_MAX = 65536         -- bytes
    local MEMBERS = {where = true, order = true, fields = true, limit = true, cursor = true}
    local MEMBER_NAMES = {'where', 'order', 'fields', 'limit', 'cursor'}

    -- ---- the query ----

    local function present(value)
        if value ~= cjson.null then return value end
    end

    local function order_of(text)
        if text == nil then text = '-SubmittedAt' end
        if type(text) ~= 'string' then read.fail('MALFORMED_QUERY', 'order is Field or -Field') end
        local minus, name = text:match('^(%-?)(.*)$')
        local field = read.field(name)
        if not field.S then
            read.fail('INVALID_FIELD', 'field %s can not be sorted in a query call (property sort)', name)
        end
        return {field = field, descending = minus == '-', text = text,
                by_submission = name == 'SubmittedAt' or name == 'CreatedDate'}
    end

    local function limit_of(limit)
        if limit == nil then return 50 end
        if type(limit) ~= 'number' or limit < 1 or limit ~= math.floor(limit) then
            read.fail('MALFORMED_QUERY', 'limit is a number from 1 to %d, not %s', read.ID_MAX, read.quote(limit))
        end
        if limit > read.ID_MAX then
            read.fail('MALFORMED_QUERY', 'limit %.0f is more than is allowed at once (%d)', limit, read.ID_MAX)
        end
        return limit
    end

    local function fields_of(names)
        if names == nil then return read.fields({'*'}) end
        if type(names) ~= 'table' or (next(names) ~= nil and #names == 0) then
            read.fail('MALFORMED_QUERY', 'fields is a list of names')
        end
        local all = {'Id'}
        for _, name in ipairs(names) do all[#all + 1] = name end
        return read.fields(all)
    end

    -- A cursor is the order, the Id of the last record passed, and its value there: n (null) or v and the raw text.
    local function cursor_of(text, order)
        if text == nil then return nil end
        local id, kind, value
        if type(text) == 'string' and text:sub(1, #order.text + 1) == order.text .. ':' then
            id, kind, value = text:sub(#order.text + 2):match('^(%w+):([nv])(.*)$')
        end
        if not id or not read.id_parse(id) or (order.by_submission and not tonumber(value)) then
            read.fail('MALFORMED_QUERY', 'the cursor %s does not belong to this query', read.quote(text))
        end
        return {id = id, value = kind == 'v' and value or nil, ms = tonumber(value)}
    end

    local function cursor_json(order, id, value)
        return read.json_text(order.text .. ':' .. id .. ':' .. (value and 'v' .. value or 'n'))
    end

    local function query_of(text)
        if #text > QUERY_MAX then
            read.fail('MALFORMED_QUERY', 'a query of %d bytes is more than is allowed at once', #text)
        end
        local done, query = pcall(cjson.decode, text)
        if not done or type(query) ~= 'table' or #query > 0 then
            read.fail('MALFORMED_QUERY', 'a query is one JSON object: %s', read.quote(text))
        end
        for name in pairs(query) do
            if not MEMBERS[name] then
                read.fail('MALFORMED_QUERY', 'unknown member %s%s', read.quote(name), read.nearest(name, MEMBER_NAMES))
            end
        end
        local order = order_of(present(query.order))
        return {filter = read.filter(present(query.where)), order = order, fields = fields_of(present(query.fields)),
                limit = limit_of(present(query.limit)), position = cursor_of(present(query.cursor), order)}
    end

    -- ---- few candidates: all of them at once ----

    local function take_index(candidates, shard, index)
        for _, id in ipairs(call('ZRANGE', read.prefix(shard) .. index, 0, -1)) do
            candidates[#candidates + 1] = {id = id, shard = shard}
        end
    end

    -- Members of one index of every shard, or nil when they are too many.
    local function few_of_index(shards, index)
        local count = 0
        for _, shard in ipairs(shards) do count = count + call('ZCARD', read.prefix(shard) .. index) end
        if count > EXAMINED_MAX then return nil end
        local candidates = {}
        if count > 0 then
            for _, shard in ipairs(shards) do take_index(candidates, shard, index) end
        end
        return candidates
    end

    local function few_of_ids(shards, ids)
        local asked, seen, candidates = {}, {}, {}
        for _, shard in ipairs(shards) do asked[shard] = true end
        for _, id in ipairs(ids) do
            local _, shard = read.id_parse(id)
            if asked[shard] and not seen[id] then
                candidates[#candidates + 1], seen[id] = {id = id, shard = shard}, true
            end
        end
        return candidates
    end

    local function few_of_names(shards, names)
        local ids = {}
        for _, name in ipairs(names) do
            for _, id in ipairs(read.ids_of_name(shards, name)) do ids[#ids + 1] = id end
        end
        return few_of_ids(shards, ids)
    end

    -- How many records there are, of one status or of any.
    local function counted(shards, status)
        local total = 0
        for _, shard in ipairs(shards) do
            local counts = call('HGETALL', read.prefix(shard) .. ':counts')
            for i = 1, #counts, 2 do
                local of = counts[i]:match(':(%a+)$')
                if of and (not status or of == status) then total = total + tonumber(counts[i + 1]) end
            end
        end
        return total
    end

    -- The whole queue, when it is small; a count that is wrong for a moment must not make a page wrong or dear.
    local function few_of_all(shards)
        if counted(shards) > EXAMINED_MAX then return nil end
        local candidates = {}
        for id, shard in read.walk(shards, {stream = 'born', newest_first = true}) do
            candidates[#candidates + 1] = {id = id, shard = shard}
            if #candidates > 2 * EXAMINED_MAX then return nil end
        end
        return candidates
    end

    -- The indexes that hold every record of a status, and perhaps others.
    local INDEX_OF_STATUS = {Running = ':running', Error = ':errors', Scheduled = ':due'}

    local function few_candidates(query, shards)
        local equal, few = query.filter.equal, nil
        if equal.Id then return few_of_ids(shards, equal.Id) end
        if equal.Name then return few_of_names(shards, equal.Name) end
        local status = equal.Status and #equal.Status == 1 and equal.Status[1]
        if INDEX_OF_STATUS[status] then few = few_of_index(shards, INDEX_OF_STATUS[status]) end
        if not few and equal.ParentKey and #equal.ParentKey == 1 and not query.order.by_submission then
            few = few_of_index(shards, ':parent:' .. equal.ParentKey[1])
        end
        if not few and status and counted(shards, status) == 0 then few = {} end
        if not few and not query.order.by_submission then few = few_of_all(shards) end
        return few
    end

    -- a before b in the order: nulls come first in a rising one; ties by Id in the same direction.
    local function comparison(order)
        local numeric = order.field.type == 'int' or order.field.type == 'dateTime'
        local function rising(a, b)
            local x, y = a.value, b.value
            if x == y then return a.id < b.id end
            if x == nil or y == nil then return x == nil end
            if numeric then return tonumber(x) < tonumber(y) end
            return x < y
        end
        if order.descending then return function(a, b) return rising(b, a) end end
        return rising
    end

    -- What a condition or the order looks at is loaded of every candidate, the rest only of the rows answered.
    local function page_of_few(query, candidates)
        local look, load, matching = read.loader(query.looked_at), read.loader(query.fields), {}
        for _, candidate in ipairs(candidates) do
            local h = look(candidate.shard, candidate.id)
            if h and read.matches(query.filter, h) then
                candidate.value = query.order.field.value(h)
                matching[#matching + 1] = candidate
            end
        end
        local before, rows, last = comparison(query.order), {}, nil
        table.sort(matching, before)
        for _, match in ipairs(matching) do
            if not query.position or before(query.position, match) then
                if #rows == query.limit then return rows, cursor_json(query.order, last.id, last.value) end
                rows[#rows + 1], last = load(match.shard, match.id), match
            end
        end
        return rows, 'null'
    end

    -- ---- any number of candidates: in order of submission ----

    local function page_of_walk(query, shards)
        local newest_first = query.order.descending
        local least, greatest = read.submitted_range(query.filter)
        -- Rising, rows of this very ms are left to the next call: more of them may come, in front of the last one.
        if not newest_first then greatest = math.min(greatest, clock_ms() - 1) end
        local walk = {newest_first = newest_first, least = least, greatest = greatest, position = query.position}
        local parent = query.filter.equal.ParentKey
        if parent and #parent == 1 then walk.index = 'parent:' .. parent[1] else walk.stream = 'born' end
        local look, load = read.loader(query.looked_at), read.loader(query.fields)
        if #query.filter == 0 then look = load end
        local rows, examined, last, last_ms = {}, 0, nil, nil
        for id, shard, ms in read.walk(shards, walk) do
            if #rows == query.limit or examined == EXAMINED_MAX then
                return rows, cursor_json(query.order, last, integer(last_ms))
            end
            local h = look(shard, id)
            if h and read.matches(query.filter, h) then
                rows[#rows + 1] = look == load and h or load(shard, id)
            end
            examined, last, last_ms = examined + 1, id, ms
        end
        return rows, 'null'
    end

    function read.calls.bgop_find(keys, args)
        if #args ~= 1 then read.fail('MALFORMED_QUERY', 'give one argument, the query as a JSON object') end
        local query, shards = query_of(args[1]), read.shards(keys)
        read.require_open(shards)
        query.looked_at = {unpack(query.filter.fields)}
        query.looked_at[#query.looked_at + 1] = query.order.field
        local candidates, rows, cursor = few_candidates(query, shards), nil, nil
        if candidates then
            rows, cursor = page_of_few(query, candidates)
        elseif query.order.by_submission then
            rows, cursor = page_of_walk(query, shards)
        else
            read.fail('MALFORMED_QUERY', 'ordering so many records by %s is more than is allowed at once: order by ' ..
                      'SubmittedAt, or let conditions on Id, Name, ParentKey or Status leave at most %d',
                      query.order.field.name, EXAMINED_MAX)
        end
        return '{"rows":' .. read.records_json(rows, query.fields) .. ',"cursor":' .. cursor .. '}'
    end
end)
