-- A record as its readers see it, and bgop_retrieve. The hash holds what is specific to an operation; here the Type's
-- versioned defaults, the derived Name and the system fields are filled in, and what does not apply in the record's
-- status is null (record.md, Applicability).
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

    -- Every field has: from, the hash's fields it is made from; and where it is more than h[from[1]]: raw(h), its text
    -- (times in epoch ms) or nil for null, and json(h), what an answer says. h holds what was read of the hash, with its Id
    -- as h.id and its shard as h.shard.
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
        local function raw(h) return h[name] or default_text(h, setting) end
        return {from = {name, 'Type', 'v'}, raw = raw, json = raw}
    end
    local function retries(h) return h.RetryCount or '0' end
    local MADE = {
        Id = {from = {}, raw = function(h) return h.id end, json = function(h) return '"' .. h.id .. '"' end},
        IsDeleted = {from = {}, raw = function() return 'false' end, json = function() return 'false' end},
        CreatedDate = {from = {'SubmittedAt'}},
        LastModifiedDate = {from = {'SystemModstamp'}},
        Name = {from = {'Name'}, raw = function(h) return h.Name or 'BO-' .. h.id:sub(1, 15) end,
                json = function(h) return h.Name and read.json_text(h.Name) or '"BO-' .. h.id:sub(1, 15) .. '"' end},
        RetryCount = {from = {'RetryCount'}, raw = retries, json = retries},
        RetryBackoff = default_of('RetryBackoff', 'retry_backoff_ms'),
        RetryLimit = default_of('RetryLimit', 'retry_limit'),
        Timeout = default_of('Timeout', 'timeout_ms'),
    }
    local KIND = {id = 'shared', reference = 'shared', int = 'bare', boolean = 'bare', dateTime = 'date'}

    for _, field in ipairs(FIELDS) do
        local made = MADE[field.name] or {from = {field.name}}
        local name, raw, source = field.name, made.raw, made.from[1]
        field.from, field.json, field.source = made.from, made.json, source
        field.kind = KIND[field.type] or name == 'Error' and 'text' or 'shared'
        field.null, field.key = ',"' .. name .. '":null', ',"' .. name .. '":'
        field.value = raw or function(h)        -- as its readers see it
            if HIDDEN[h.Status][name] then return nil end
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

    -- Appends a record as a JSON object of these fields, in their order, to the pieces of an answer. Two hundred records
    -- make five thousand fields: nothing here is called that need not be.
    local dates, shared, json_text = read.dates, read.json_shared, read.json_text
    function read.record_write(out, h, fields)
        local n, hidden = #out, HIDDEN[h.Status]
        local first = n + 1
        for i = 1, #fields do
            local field = fields[i]
            local json = field.json
            if json then
                out[n + 1], out[n + 2], n = field.key, json(h), n + 2
            else
                local raw = h[field.source]
                if not raw or hidden[field.name] then
                    out[n + 1], n = field.null, n + 1
                else
                    local kind = field.kind
                    if kind == 'date' then raw = dates[raw]
                    elseif kind == 'shared' then raw = shared[raw]
                    elseif kind == 'text' then raw = json_text(raw) end
                    out[n + 1], out[n + 2], n = field.key, raw, n + 2
                end
            end
        end
        out[first] = '{' .. out[first]:sub(2)
        out[n + 1] = '}'
    end

    -- Records as the elements of a JSON array; false stands for null.
    function read.records_json(records, fields)
        local out = {'['}
        for i, h in ipairs(records) do
            if i > 1 then out[#out + 1] = ',' end
            if h then read.record_write(out, h, fields) else out[#out + 1] = 'null' end
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
        if #args < 1 then read.fail('MALFORMED_QUERY', 'give the fields (* for all), then Ids') end
        if #args - 1 > read.ID_MAX then
            read.fail('MALFORMED_QUERY', '%d Ids are more than is allowed at once (%d)', #args - 1, read.ID_MAX)
        end
        local fields = read.fields(split(args[1]))
        if #fields == 0 then read.fail('MALFORMED_QUERY', 'give at least one field, or * for all') end
        local open, shards = {}, read.shards(keys)          -- shard -> was its gate looked at?
        if #shards == 0 then read.require_open(shards) end
        for _, shard in ipairs(shards) do open[shard] = false end
        local load, records = read.loader(fields), {}
        for i = 2, #args do
            local id, shard = read.id_parse(args[i])
            local h
            if id and open[shard] ~= nil then
                if not open[shard] then
                    read.require_open({shard})
                    open[shard] = true
                end
                h = load(shard, id)
            end
            records[i - 1] = h or false
        end
        return read.records_json(records, fields)
    end
end)
