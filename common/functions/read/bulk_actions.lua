-- bgop_actions: what people had done to many operations at once, or to what starts; the newest first.
--   keys  none or bgop:{0}    args  [limit or action: 1 to 500, else 50; or the name of one]
--   ->    {"actions":[{"id","action","where","ids","type","parentKey","reason","who","rate","state","startedAt",
--         "finishedAt","found","matching","done","skipped","failed","failures":[{"Id","text"}],"error","coordinator"}]}
--         ids: how many were named; found: so far, of a condition; matching: null until all were found; coordinator: the
--         one that runs it, null when nobody does
--   errors MALFORMED_QUERY
read.part({'bgop_actions'}, function()
    local NULL = 'null'

    local function text(value) return read.json_text_or_null(value) end
    local function number(value) return value or NULL end
    local function date(value) return value and '"' .. read.date(value) .. '"' or NULL end

    local function failures(lines)
        local out = {}
        for line in (lines or ''):gmatch('[^\n]+') do
            local id, why = line:match('^(%S+) (.*)$')
            if id then out[#out + 1] = '{"Id":' .. text(id) .. ',"text":' .. text(why) .. '}' end
        end
        return '[' .. table.concat(out, ',') .. ']'
    end

    local function owner(f, now)
        local till = tonumber(f[ACTION_SHOWN.UNTIL] or nil)
        if f[ACTION_SHOWN.STATE] ~= 'Running' or not till or till < now then return nil end
        return f[ACTION_SHOWN.OWNER]
    end

    local function shown(prefix, action, now)
        local f = call('HMGET', prefix .. KEY.ACTION .. action, ACTION_SHOWN.NAMES)
        if not f[ACTION_SHOWN.STATE] then return nil end
        return table.concat({
            '{"id":', text(action), ',"action":', text(f[ACTION_SHOWN.KIND]), ',"where":', text(f[ACTION_SHOWN.WHERE]),
            ',"ids":', number(f[ACTION_SHOWN.IDS]), ',"type":', text(f[ACTION_SHOWN.TYPE]),
            ',"parentKey":', text(f[ACTION_SHOWN.PARENT_KEY]), ',"reason":', text(f[ACTION_SHOWN.REASON]),
            ',"who":', text(f[ACTION_SHOWN.WHO]), ',"rate":', number(f[ACTION_SHOWN.RATE]),
            ',"state":', text(f[ACTION_SHOWN.STATE]), ',"startedAt":', date(f[ACTION_SHOWN.STARTED]),
            ',"finishedAt":', date(f[ACTION_SHOWN.FINISHED]), ',"found":', number(f[ACTION_SHOWN.FOUND]),
            ',"matching":', number(f[ACTION_SHOWN.MATCHING]), ',"done":', number(f[ACTION_SHOWN.DONE]),
            ',"skipped":', number(f[ACTION_SHOWN.SKIPPED]), ',"failed":', number(f[ACTION_SHOWN.FAILED]),
            ',"failures":', failures(f[ACTION_SHOWN.FAILURES]), ',"error":', text(f[ACTION_SHOWN.ERROR]),
            ',"coordinator":', text(owner(f, now)), '}'})
    end

    function read.calls.bgop_actions(keys, args)
        local which = args[ACTIONS.WHICH] or '50'
        local limit = tonumber(which:match('^%d+$'))
        if #args > 1 or not limit and not which:find('^act%w+$') or limit and (limit < 1 or limit > 500) then
            read.fail('MALFORMED_QUERY', 'give nothing, a limit from 1 to 500, or the name of an action')
        end
        if #keys > 1 or keys[1] and keys[1] ~= 'bgop:{0}' then
            read.fail('MALFORMED_QUERY', 'give no key, or bgop:{0}, where actions are')
        end
        local prefix, now, out = read.prefix(0), clock_ms(), {}
        local names = limit and call('ZREVRANGE', prefix .. KEY.ACTIONS, 0, limit - 1) or {which}
        for _, action in ipairs(names) do out[#out + 1] = shown(prefix, action, now) end
        return '{"actions":[' .. table.concat(out, ',') .. ']}'
    end
end)
