-- The conditions of bgop_find: [field, operator, value], joined by and. Each becomes a test of a loaded record.
-- Text is compared byte by byte (Ids in 15 or 18 characters); `like` knows % (any text), _ (one character) and \ before
-- either, and ignores the case of ASCII letters. null matches only = and !=; a value differs (!=) from null.
read.part({}, function()
    local CONDITIONS_MAX, VALUES_MAX = 50, 500
    local COMPARE = {
        ['='] = function(a, b) return a == b end,
        ['!='] = function(a, b) return a ~= b end,
        ['<'] = function(a, b) return a < b end,
        ['<='] = function(a, b) return a <= b end,
        ['>'] = function(a, b) return a > b end,
        ['>='] = function(a, b) return a >= b end,
    }
    local text_before = read.text_before
    local COMPARE_TEXTS = {
        ['='] = COMPARE['='],
        ['!='] = COMPARE['!='],
        ['<'] = text_before,
        ['<='] = function(a, b) return not text_before(b, a) end,
        ['>'] = function(a, b) return text_before(b, a) end,
        ['>='] = function(a, b) return not text_before(a, b) end,
    }
    local OPERATORS = {'=', '!=', '<', '<=', '>', '>=', 'in', 'like'}
    local CHARACTER = '[%z\1-\127\192-\255][\128-\191]*'
    local LITERAL = {['\0'] = '%z'}         -- of a character in a pattern of Lua's
    for byte = 33, 126 do LITERAL[string.char(byte)] = '%' .. string.char(byte) end

    -- A value as the caller wrote it in the form values of this field are compared in.
    local function comparable(field, value)
        if field.type == 'int' then
            if type(value) == 'number' and value == math.floor(value) then return value end
            read.fail('MALFORMED_QUERY', '%s is compared with a whole number, not %s', field.name, read.quote(value))
        elseif field.type == 'dateTime' then
            local ms, wrong = read.date_parse(value)
            if ms and not read.looks_like_seconds(value) then return ms end
            read.fail('MALFORMED_QUERY', '%s is compared with an ISO 8601 time or epoch ms, not %s, which %s', field.name,
                            read.quote(value), wrong or 'looks like seconds: epoch times are in milliseconds')
        elseif field.type == 'boolean' then
            if type(value) == 'boolean' then return value end
            read.fail('MALFORMED_QUERY', '%s is compared with true or false, not %s', field.name, read.quote(value))
        elseif type(value) ~= 'string' then
            read.fail('MALFORMED_QUERY', '%s is compared with a text, not %s', field.name, read.quote(value))
        elseif field.type == 'id' or field.type == 'reference' then
            return (read.id_require(value))
        end
        return value
    end

    -- get(h): the field's value in that form, or nil for null.
    local function getter(field)
        local value = field.value
        if field.type == 'int' or field.type == 'dateTime' then return function(h) return tonumber(value(h)) end end
        if field.type == 'boolean' then return function(h) return value(h) == 'true' end end
        return value
    end

    -- The pieces between the % of a pattern, each as one of Lua's: those search without going back.
    local function pieces_of(text)
        local pieces, piece, escaped = {}, {}, false
        for character in text:lower():gmatch(CHARACTER) do
            if not escaped and character == '\\' then
                escaped = true
            elseif not escaped and character == '%' then
                pieces[#pieces + 1], piece = table.concat(piece), {}
            else
                piece[#piece + 1] = not escaped and character == '_' and CHARACTER or character:gsub('[%p%z]', LITERAL)
                escaped = false
            end
        end
        pieces[#pieces + 1] = table.concat(piece)
        return pieces
    end

    -- Each piece is taken where it is met first, the last one at the end.
    local function like(text, pieces)
        local count = #pieces
        if count == 1 then return text:find('^' .. pieces[1] .. '$') ~= nil end
        local _, at = text:find('^' .. pieces[1])
        for i = 2, count - 1 do
            if not at then return false end
            if pieces[i] ~= '' then _, at = text:find(pieces[i], at + 1) end
        end
        return at ~= nil and text:find(pieces[count] .. '$', at + 1) ~= nil
    end

    local function test_null(get, operator, field)
        if operator == '=' then return function(h) return get(h) == nil end end
        if operator == '!=' then return function(h) return get(h) ~= nil end end
        read.fail('MALFORMED_QUERY', '%s: null is compared with = and != only', field.name)
    end

    local function test_in(get, field, values)
        if type(values) ~= 'table' or #values == 0 or #values > VALUES_MAX then
            read.fail('MALFORMED_QUERY', '%s in takes a list of 1 to %d values', field.name, VALUES_MAX)
        end
        local set, list = {}, {}
        for i, value in ipairs(values) do
            if value == cjson.null then
                read.fail('MALFORMED_QUERY', '%s: null is compared with = and != only', field.name)
            end
            list[i] = comparable(field, value)
            set[list[i]] = true
        end
        return function(h)
            local value = get(h)
            return value ~= nil and set[value] == true
        end, list
    end

    local function test_like(get, field, value)
        if field.type ~= 'string' and field.type ~= 'picklist' then
            read.fail('MALFORMED_QUERY', 'like is for texts, %s is of type %s', field.name, field.type)
        end
        local pieces = pieces_of(comparable(field, value))
        return function(h)
            local text = get(h)
            return text ~= nil and like(text:lower(), pieces)
        end
    end

    local function test_compare(get, field, operator, value)
        if field.type == 'boolean' and operator ~= '=' and operator ~= '!=' then
            read.fail('MALFORMED_QUERY', '%s is compared with = and != only', field.name)
        end
        local wanted = comparable(field, value)
        local compare = (type(wanted) == 'string' and COMPARE_TEXTS or COMPARE)[operator]
        local differs = operator == '!='
        return function(h)
            local have = get(h)
            if have == nil then return differs end
            return compare(have, wanted)
        end, {wanted}
    end

    -- One condition: {field, operator, test(h), values (of = and in, and of comparisons)}.
    local function condition_of(written)
        if type(written) ~= 'table' or #written ~= 3 then
            read.fail('MALFORMED_QUERY', 'a condition is [field, operator, value]')
        end
        local field, operator, value = read.field(written[1]), written[2], written[3]
        if not field.F then
            read.fail('INVALID_FIELD', 'field %s can not be filtered in a query call (property filter)', field.name)
        end
        local condition, get = {field = field, operator = operator, written = value}, getter(field)
        if operator == 'in' then
            condition.test, condition.values = test_in(get, field, value)
        elseif operator ~= 'like' and not COMPARE[operator] then
            read.fail('MALFORMED_QUERY', 'unknown operator %s: use one of %s', read.quote(operator),
                            table.concat(OPERATORS, ' '))
        elseif value == cjson.null then
            condition.test = test_null(get, operator, field)
        elseif operator == 'like' then
            condition.test = test_like(get, field, value)
        else
            condition.test, condition.values = test_compare(get, field, operator, value)
        end
        return condition
    end

    -- The conditions of a query, with those on few values (= and in) also by their field's name: equal[name] = values.
    function read.filter(where)
        local filter = {equal = {}, fields = {}}
        if where == nil or where == cjson.null then return filter end
        if type(where) ~= 'table' or #where > CONDITIONS_MAX or (next(where) ~= nil and #where == 0) then
            read.fail('MALFORMED_QUERY', 'where is a list of at most %d conditions [field, operator, value]',
                      CONDITIONS_MAX)
        end
        for i, written in ipairs(where) do
            local condition = condition_of(written)
            filter[i], filter.fields[i] = condition, condition.field
            if condition.values and (condition.operator == '=' or condition.operator == 'in') then
                filter.equal[condition.field.name] = filter.equal[condition.field.name] or condition.values
            end
        end
        return filter
    end

    -- What looking at a record costs beside reading it, as a share of that.
    function read.filter_work(filter)
        local work = 0
        for _, condition in ipairs(filter) do
            work = work + 0.15
            if condition.operator == 'like' then work = work + 0.1 + #condition.written / 32 end
        end
        return work
    end

    function read.matches(filter, h)
        for i = 1, #filter do
            if not filter[i].test(h) then return false end
        end
        return true
    end

    -- The times that a filter leaves possible for a field that has two names: least and greatest, in ms.
    local function range(filter, field, other)
        local least, greatest = 0, 2 ^ 53
        for _, condition in ipairs(filter) do
            local name = condition.field.name
            if condition.values and (name == field or name == other) then
                local operator, value = condition.operator, condition.values[1]
                if operator == '=' or operator == '>=' then least = math.max(least, value) end
                if operator == '>' then least = math.max(least, value + 1) end
                if operator == '=' or operator == '<=' then greatest = math.min(greatest, value) end
                if operator == '<' then greatest = math.min(greatest, value - 1) end
            end
        end
        return least, greatest
    end

    function read.submitted_range(filter) return range(filter, 'SubmittedAt', 'CreatedDate') end
    function read.changed_range(filter) return range(filter, 'SystemModstamp', 'LastModifiedDate') end
end)
