-- Groups of a call by columns (COLUMNS in wire_tables.h): most operations of a batch say little, and much of it alike.
-- Behind the head comes a text with a letter for each field of the group, in their order: v, each row has it; c, the same
-- for all rows; -, empty for all. Then what is the same, each once, then the rows with what varies. Without such a text all
-- fields of all rows follow, as older programs send them.
local columns_of, columns_row
do
    local kept = {}                 -- by layout's size and text: what it means
    local KEPT_MOST, count = 64, 0

    local function mean(text, size)
        local at, const, width = {}, {}, 0
        if #text ~= size + 1 or text:find('[^vc-]', 2) then return nil end
        for field = 0, size - 1 do
            local letter = text:sub(field + 2, field + 2)
            if letter == 'v' then at[field], width = width, width + 1 end
            if letter == 'c' then const[#const + 1] = field end
        end
        if width == 0 then return nil end       -- how many rows there are could not be told
        return {at = at, const = const, width = width}
    end

    local function meaning(text, size)
        local known = kept[size .. text]
        if known then return known end
        known = mean(text, size)
        if not known then return nil end
        if count == KEPT_MOST then kept, count = {}, 0 end
        kept[size .. text], count = known, count + 1
        return known
    end

    -- The rows from `first` on. at: by field, where in a row it stands, nil: it is the same in all; value: that.
    -- nil: incomplete, or no columns.
    function columns_of(args, first, size)
        local text = args[first]
        local is_text = text and text:byte(1) == 35
        local known = meaning(is_text and text or '#' .. ('v'):rep(size), size)
        if not known then return nil end
        local value, behind = {}, is_text and first + 1 + #known.const or first
        for field = 0, size - 1 do value[field] = '' end
        for n, field in ipairs(known.const) do value[field] = args[first + n] end
        local left = #args - behind + 1
        if left < 0 then return nil end
        local rows = left / known.width
        if rows ~= math.floor(rows) then return nil end
        return {at = known.at, value = value, first = behind, width = known.width, size = size, count = rows, row = {}}
    end

    -- The row that begins at i with all its fields, as a list: row[1 + OP.NAME]. The next call uses it again.
    function columns_row(columns, args, i)
        local row, at, value = columns.row, columns.at, columns.value
        for field = 0, columns.size - 1 do
            local place = at[field]
            row[field + 1] = place and args[i + place] or not place and value[field]
        end
        return row
    end
end
