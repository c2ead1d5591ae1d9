-- A record as its readers see it, and bgop_retrieve. The hash holds what is specific to an operation; here the Type's
-- versioned defaults, the derived Name and the system fields are filled in, and what does not apply in the record's
-- status is null (common/record/README.md, "What is null when").
read.part({'bgop_retrieve'}, function()
    local field_named, field_names = {}, {}
    for i, field in ipairs(FIELDS) do
        field_named[field.name], field_names[i] = field, field.name
    end
    read.field_named = field_named

    -- What is null in a status, whatever the hash holds.
    local NEVER_RAN = {StartedAt = true, WorkerUri = true, FinishedAt = true, ExpiresAt = true, Error = true}
    local NOT_ENDED = {FinishedAt = true, ExpiresAt = true, Error = true}
    local HIDDEN = {New = NEVER_RAN, Scheduled = NEVER_RAN, Waiting = NOT_ENDED, Running = NOT_ENDED,
                    Canceled = {FinishedAt = true, Error = true}, Merged = {FinishedAt = true, Error = true},
                    Complete = {Error = true}, Error = {}}

    -- Every field has: from, the hash's fields it is made from; null, its piece of an answer where it is null; and
    -- either source and pieces: what the hash has, and that as a piece of an answer; or, where it is more than that,
    -- raw(h), its text (times in epoch ms), and piece(h). h holds what was read of the hash, with its Id as h.id and
    -- its shard as h.shard.
    local default_texts = setmetatable({}, {__mode = 'k'})      -- settings of a Type -> setting -> text

    local function default_text(h, setting)
        local settings = h.settings or read.settings(h.shard, h.Type, h.v)
        h.settings = settings
        local texts = default_texts[settings]
        if not texts then
            texts = {}
            default_texts[settings] = texts
        end
        local text = texts[setting]
        if not text then
            text = integer(settings[setting])
            texts[setting] = text
        end
        return text
    end

    local function default_of(name, setting)
        return {from = {name, 'Type', 'v'}, raw = function(h) return h[name] or default_text(h, setting) end}
    end
    local function id(h) return h.id end
    local function name(h) return h.Name or 'BO-' .. h.id:sub(1, 15) end
    local MADE = {
        Id = {from = {}, raw = id, piece = function(h) return ',"Id":"' .. h.id .. '"' end},
        IsDeleted = {from = {}, raw = function() return 'false' end},
        CreatedDate = {from = {'SubmittedAt'}},
        LastModifiedDate = {from = {'SystemModstamp'}},
        Name = {from = {'Name'}, raw = name, piece = function(h)
            return h.Name and ',"Name":' .. read.json_text(h.Name) or ',"Name":"BO-' .. h.id:sub(1, 15) .. '"'
        end},
        RetryCount = {from = {'RetryCount'}, raw = function(h) return h.RetryCount or '0' end},
        RetryBackoff = default_of('RetryBackoff', 'retry_backoff_ms'),
        RetryLimit = default_of('RetryLimit', 'retry_limit'),
        Timeout = default_of('Timeout', 'timeout_ms'),
    }
    local function bare(raw) return raw end
    local function date(raw) return read.dates[raw] end
    local JSON = {int = bare, boolean = bare, dateTime = date}

    for _, field in ipairs(FIELDS) do
        local made = MADE[field.name] or {from = {field.name}}
        local key, json, source = ',"' .. field.name .. '":', JSON[field.type] or read.json_text, made.from[1]
        local pieces = read.remembering(function(raw) return key .. json(raw) end)
        field.from, field.source, field.pieces, field.null = made.from, source, pieces, key .. 'null'
        if made.raw then
            local raw = made.raw
            field.piece = made.piece or function(h) return pieces[raw(h)] end
        end
        field.value = made.raw or function(h)        -- as its readers see it
            if HIDDEN[h.Status][field.name] then return nil end
            return h[source] or nil
        end
    end

    -- A field of the record by its name, or the error that names the nearest one.
    function read.field(name)
        local field = type(name) == 'string' and field_named[name]
        if field then return field end
        read.fail('INVALID_FIELD', "No such column %s on sobject of type BackgroundOperation%s", read.quote(name),
                          read.nearest(name, field_names))
    end

    -- Fields from their names in order, each once; '*' stands for all of them.
    function read.fields(names)
        local fields, seen = {}, {}
        for _, name in ipairs(names) do
            for _, field in ipairs(name == '*' and FIELDS or {read.field(name)}) do
                if not seen[field.name] then fields[#fields + 1], seen[field.name] = field, true end
            end
        end
        return fields
    end

    -- A loader for what these fields are made from: load(shard, id) answers h, or nil when there is no such record.
    -- Few fields are asked for one by one; for many it is cheaper to take the whole hash.
    function read.loader(fields)
        local names, seen = {'Status'}, {Status = true}
        for _, field in ipairs(fields) do
            for _, name in ipairs(field.from) do
                if not seen[name] then names[#names + 1], seen[name] = name, true end
            end
        end
        local ops, count = read.ops, #names
        if count > 12 then
            return function(shard, id)
                local flat = call('HGETALL', ops(shard) .. id)
                if not flat[1] then return nil end
                local h = {id = id, shard = shard}
                for i = 1, #flat, 2 do h[flat[i]] = flat[i + 1] end
                return h
            end
        end
        return function(shard, id)
            local values = call('HMGET', ops(shard) .. id, unpack(names))
            if not values[1] then return nil end
            local h = {id = id, shard = shard}
            for i = 1, count do h[names[i]] = values[i] or nil end
            return h
        end
    end

    -- What to write of a record in a status: its fields, and of those hidden in it only their null.
    local function steps_of(fields, status)
        local steps = {}
        for i, field in ipairs(fields) do
            steps[i] = HIDDEN[status][field.name] and {source = '', null = field.null} or field
        end
        return steps
    end

    -- Appends a record as a JSON object of these fields, in their order, to the pieces of an answer. Two hundred
    -- records make five thousand fields: nothing here is called that need not be.
    local function record_write(out, h, steps)
        local n = #out
        local first = n + 1
        for i = 1, #steps do
            local step = steps[i]
            local piece = step.piece
            if piece then
                piece = piece(h)
            else
                local raw = h[step.source]
                piece = raw and step.pieces[raw] or step.null
            end
            n = n + 1
            out[n] = piece
        end
        out[first] = '{' .. out[first]:sub(2)
        out[n + 1] = '}'
    end

    -- Records as the elements of a JSON array; false stands for null.
    function read.records_json(records, fields)
        local out, steps = {'['}, {}
        for i, h in ipairs(records) do
            if i > 1 then out[#out + 1] = ',' end
            if h then
                local of_status = steps[h.Status] or steps_of(fields, h.Status)
                steps[h.Status] = of_status
                record_write(out, h, of_status)
            else
                out[#out + 1] = 'null'
            end
        end
        out[#out + 1] = ']'
        return table.concat(out)
    end

    local function split(list)
        local names = {}
        for name in (list .. ','):gmatch('%s*([^,]-)%s*,') do
            if name ~= '' then names[#names + 1] = name end
        end
        return names
    end

    -- bgop_retrieve: records by Id, in the order of the Ids; null for one that is unknown, removed or malformed.
    --   keys  none or bgop:{s}    args  fields joined by commas (* for all), Id (at most 200)...
    --   ->    [{...}, null ...]   errors INVALID_FIELD, MALFORMED_QUERY, RECOVERING
    function read.calls.bgop_retrieve(keys, args)
        if #args < RETRIEVE.SIZE then read.fail('MALFORMED_QUERY', 'give the fields (* for all), then Ids') end
        local wanted = #args - RETRIEVE.SIZE
        if wanted > read.ID_MAX then
            read.fail('MALFORMED_QUERY', '%d Ids are more than is allowed at once (%d)', wanted, read.ID_MAX)
        end
        local fields = read.fields(split(args[RETRIEVE.FIELDS]))
        if #fields == 0 then read.fail('MALFORMED_QUERY', 'give at least one field, or * for all') end
        local open, shards = {}, read.shards(keys)          -- shard -> was its gate looked at?
        if #shards == 0 then read.require_open(shards) end
        for _, shard in ipairs(shards) do open[shard] = false end
        local load, records = read.loader(fields), {}
        for i = RETRIEVE.SIZE + 1, #args do
            local id, shard = read.id_parse(args[i])
            local h
            if id and open[shard] ~= nil then
                if not open[shard] then
                    read.require_open({shard})
                    open[shard] = true
                end
                h = load(shard, id)
            end
            records[i - RETRIEVE.SIZE] = h or false
        end
        return read.records_json(records, fields)
    end
end)
