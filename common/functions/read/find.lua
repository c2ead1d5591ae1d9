-- bgop_find: records that meet conditions, in an order, page by page.
--   keys  none or bgop:{s}    args  {"where":[[field, operator, value]...], "order":"-SubmittedAt", "fields":[...],
--                                    "limit":50, "cursor":null}: all members optional (fields absent: all of them)
--   ->    {"rows":[...],"cursor":null}, and with "positions":true "positions":[a cursor behind each row...]; errors INVALID_FIELD, MALFORMED_ID, MALFORMED_QUERY, RECOVERING
-- A call does a bounded amount of work: a page may be short or empty while there is a cursor. Two ways:
--   walk  in the order of submission (over `born` or an index by ParentKey) and in the order of the last change (over
--         `changes`, as far back as it reaches): rows come as they are met.
--   scan  any other order, and a status that few records are in: all candidates are looked at, some hundred a call,
--         and the cursor carries the best so far (read/scan.lua). The first row comes when all were looked at.
-- Either way pages neither repeat nor lose a record that is there, and stays as it is, all the while.
read.part({'bgop_find'}, function()
    local WORK_MAX = 300            -- of a call: 1 (and what the conditions cost) a record looked at, and for each row:
    local FEW_FIELDS = 8            -- 1 for so many fields, 2 for more
    local SCAN_WORK = 250           -- of a scan's looking
    local QUERY_MAX = 65536         -- bytes
    local MEMBERS = {where = true, order = true, fields = true, limit = true, cursor = true, positions = true}
    local MEMBER_NAMES = {'where', 'order', 'fields', 'limit', 'cursor', 'positions'}

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
        return {field = field, text = text, descending = minus == '-', before = read.order_before(field, minus == '-'),
                by_submission = name == 'SubmittedAt' or name == 'CreatedDate',
                by_change = name == 'SystemModstamp' or name == 'LastModifiedDate'}
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

    -- A cursor begins with the order. Behind a colon: the Id of the last record passed, and its value there (n: null,
    -- or v and the text). Behind a star: a scan under way.
    local function cursor_of(text, order)
        if text == nil then return nil, nil end
        local rest = type(text) == 'string' and text:sub(1, #order.text) == order.text and text:sub(#order.text + 1)
        local position, scan
        if rest and rest:sub(1, 1) == ':' then position = read.entry_parse(rest:sub(2), order.field) end
        if rest and rest:sub(1, 1) == '*' then scan = read.scan_parse(rest:sub(2), order.field) end
        if not scan and (not position or not position.key and (order.by_submission or order.by_change)) then
            read.fail('MALFORMED_QUERY', 'the cursor %s does not belong to this query', read.quote(text))
        end
        return position, scan
    end

    local function position_json(order, entry) return '"' .. order.text .. ':' .. read.entry_text(entry) .. '"' end

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
        local position, scan = cursor_of(present(query.cursor), order)
        return {filter = read.filter(present(query.where)), order = order, fields = fields_of(present(query.fields)),
                limit = limit_of(present(query.limit)), position = position, scan = scan,
                positions = present(query.positions) == true}
    end

    -- ---- walks ----

    -- The way to walk in the order of submission.
    local function submission_walk(query)
        local walk = {newest_first = query.order.descending, position = query.position}
        walk.least, walk.greatest = read.submitted_range(query.filter)
        local parent = query.filter.equal.ParentKey
        if parent and #parent == 1 then walk.index = INDEX.PARENT .. parent[1] else walk.stream = INDEX.BORN end
        return walk
    end

    -- From when on `changes` knows every change, in all of these shards.
    local function changes_known_from(shards)
        local from = 0
        for _, shard in ipairs(shards) do
            from = math.max(from, tonumber(call('HGET', read.prefix(shard) .. KEY.GATE, 'changes_from')) or 0)
        end
        return from
    end

    -- The way to walk in the order of the last change; nil: the log does not reach that far back. Newest first, what
    -- lies before the log's beginning is left to a scan (walk.rest).
    local function change_walk(query, shards)
        local least, greatest = read.changed_range(query.filter)
        local from, position = changes_known_from(shards), query.position
        local walk = {stream = INDEX.CHANGES, changes = true, newest_first = query.order.descending, position = position,
                      least = math.max(least, from), greatest = greatest}
        if least >= from then return walk end
        if not walk.newest_first or position and (position.id == '' or position.key < from) then return nil end
        walk.rest = {id = '', value = integer(from)}
        return walk
    end

    local function page_of_walk(query, shards, walk)
        -- Rising, rows of this very ms are left to the next call: more of them may come, in front of the last one.
        if not walk.newest_first then walk.greatest = math.min(walk.greatest, read.now(shards) - 1) end
        if walk.position then walk.position = {id = walk.position.id, ms = walk.position.key} end
        local look, load = read.loader(query.looked_at), read.loader(query.loaded)
        if #query.filter == 0 and not walk.changes then look = load end
        local rows, work, last, last_ms = {}, 0, nil, nil
        for id, shard, ms in read.walk(shards, walk) do
            if #rows == query.limit or work >= WORK_MAX then
                return rows, position_json(query.order, {id = last, value = integer(last_ms)})
            end
            local h = look(shard, id)
            if h and (not walk.changes or tonumber(h.SystemModstamp) == ms) and read.matches(query.filter, h) then
                rows[#rows + 1] = look == load and h or load(shard, id)
                rows[#rows].walked_ms = integer(ms)
                work = work + query.row_work - (look == load and 1 or 0)
            end
            work, last, last_ms = work + query.look_work, id, ms
        end
        return rows, walk.rest and position_json(query.order, walk.rest) or 'null'
    end

    -- ---- scans ----

    -- In the order of submission: of Ids and Names, and of a status that few records are in. The first row of a scan
    -- comes at its end, the first of a walk by chance: which is earlier, on the average?
    local function is_scan_better(source, shards)
        if source.name == 'born' or source.name == 'parent' then return false end
        local count = source.count()
        return count <= SCAN_WORK or source.name == 'ids' or source.name == 'names' or
            count * count < 30 * read.records_counted(shards)
    end

    local function page_of_scan(query, shards, source)
        local look, load, order = read.loader(query.looked_at), read.loader(query.loaded), query.order
        local function judge(shard, id)
            local h = look(shard, id)
            if h and read.matches(query.filter, h) then return true, order.field.value(h) end
        end
        local scan = query.scan or read.scan_begin(source.name, query.position)
        local work = query.look_work * read.scan_run(scan, source, order, judge, SCAN_WORK / query.look_work)
        local rows, kept, passed = {}, scan.kept, 0
        while scan.ended and passed < #kept and #rows < query.limit and work < WORK_MAX do
            passed = passed + 1
            local id = kept[passed].id
            local _, shard = read.id_parse(id)
            if judge(shard, id) then
                rows[#rows + 1] = load(shard, id)
                work = work + query.row_work
            end
            work = work + query.look_work
        end
        if scan.ended and passed == #kept then
            return rows, scan.more and passed > 0 and position_json(order, kept[passed]) or 'null'
        end
        return rows, '"' .. order.text .. '*' .. read.scan_text(scan, passed + 1) .. '"'
    end

    local function page(query, shards)
        if query.scan then
            local source = read.source(query.scan.source, query.filter, shards)
            if not source then read.fail('MALFORMED_QUERY', 'the cursor does not belong to this query') end
            return page_of_scan(query, shards, source)
        end
        local source, order = read.best_source(query.filter, shards), query.order
        if order.by_submission and not is_scan_better(source, shards) then
            return page_of_walk(query, shards, submission_walk(query))
        end
        local walk = order.by_change and source.name == 'born' and change_walk(query, shards)
        if walk then return page_of_walk(query, shards, walk) end
        return page_of_scan(query, shards, source)
    end

    -- For who merges the shards of several servers: the cursor behind each row.
    local function positions_json(query, rows)
        if not query.positions then return '' end
        local out, order = {}, query.order
        for i, h in ipairs(rows) do
            out[i] = position_json(order, {id = h.id, value = h.walked_ms or order.field.value(h)})
        end
        return ',"positions":[' .. table.concat(out, ',') .. ']'
    end

    function read.calls.bgop_find(keys, args)
        if #args ~= 1 then read.fail('MALFORMED_QUERY', 'give one argument, the query as a JSON object') end
        local query, shards = query_of(args[FIND.QUERY]), read.shards(keys)
        read.require_open(shards)
        query.looked_at = {unpack(query.filter.fields)}
        query.looked_at[#query.looked_at + 1] = query.order.field
        query.loaded = query.positions and {query.order.field, unpack(query.fields)} or query.fields
        query.row_work = #query.fields > FEW_FIELDS and 2 or 1
        query.look_work = 1 + read.filter_work(query.filter)
        local rows, cursor = page(query, shards)
        return '{"rows":' .. read.records_json(rows, query.fields) .. positions_json(query, rows) .. ',"cursor":' .. cursor ..
               '}'
    end
end)
