-- Times that callers write: ISO 8601 and epoch milliseconds, as common/base/clock_read.c reads them. One table of cases
-- (tests/support/times.h) tests both.
read.part({}, function()
    local NOT_A_TIME = 'is no time'
    local BEYOND_9999 = 'lies beyond the year 9999: epoch times are in milliseconds'
    local YEAR_0, YEAR_2000, YEAR_10000 = -62167219200000, 946684800000, 253402300800000
    local DAY = 86400000

    -- Days since 1970-01-01 of a civil date (proleptic Gregorian; years are counted from March).
    local function days_from_civil(year, month, day)
        if month <= 2 then year = year - 1 end
        local era = math.floor(year / 400)
        local year_of_era = year - era * 400
        local day_of_year = math.floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
        local day_of_era = year_of_era * 365 + math.floor(year_of_era / 4) - math.floor(year_of_era / 100) + day_of_year
        return era * 146097 + day_of_era - 719468
    end

    local function month_length(year, month)
        if month == 2 then return (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) and 29 or 28 end
        return (month == 4 or month == 6 or month == 9 or month == 11) and 30 or 31
    end

    -- Days, what stands behind the date, and its hyphen; or nil and what is wrong.
    local function read_date(text)
        local year, hyphen, rest = text:match('^(%d%d%d%d)(%-?)(.*)$')
        if not year then return nil, NOT_A_TIME end
        if rest:find('^[Ww]') then return nil, 'is a week date: write year-month-day' end
        if #rest:match('^%d*') == 3 then return nil, 'is a date by the day of its year: write year-month-day' end
        local month, day, behind = rest:match('^(%d%d)' .. (hyphen == '-' and '%-' or '') .. '(%d%d)(.*)$')
        if not month then return nil, 'has no whole date: write year-month-day' end
        year, month, day = tonumber(year), tonumber(month), tonumber(day)
        if month < 1 or month > 12 or day < 1 or day > month_length(year, month) then
            return nil, 'names a day that is not in the calendar'
        end
        return days_from_civil(year, month, day), behind, hyphen
    end

    -- Ms of the day without the fraction, ms of the fraction, seconds, what stands behind; or nil and what is wrong.
    local function read_time_of_day(text, hyphen)
        local colon = hyphen == '-' and ':' or ''
        local hour, rest = text:match('^(%d%d)(.*)$')
        if not hour then return nil, NOT_A_TIME end
        local minute, second, ms = 0, 0, 0
        if rest:find(colon == ':' and '^:' or '^%d') then
            minute, rest = rest:match('^' .. colon .. '(%d%d)(.*)$')
            if not minute then return nil, NOT_A_TIME end
            if rest:find(colon == ':' and '^:' or '^%d') then
                second, rest = rest:match('^' .. colon .. '(%d%d)(.*)$')
                if not second then return nil, NOT_A_TIME end
                if rest:find('^[.,]') then
                    local fraction
                    fraction, rest = rest:match('^[.,](%d+)(.*)$')
                    if not fraction then return nil, NOT_A_TIME end
                    ms = tonumber((fraction .. '00'):sub(1, 3))
                end
            end
        end
        if rest:find('^[.,]') then return nil, 'has a fraction that is not one of seconds' end
        hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
        if minute > 59 or second > 60 or hour > 24 or (hour == 24 and minute + second + ms > 0) then
            return nil, 'names a time that is not in the day'
        end
        return ((hour * 60 + minute) * 60 + second) * 1000, ms, second, rest
    end

    -- Ms east of UTC. A blank is the + of a URL that was decoded.
    local function read_zone(text)
        if text:find('^[Zz]') then return #text == 1 and 0 or nil, NOT_A_TIME end
        if text == '' then return nil, 'has no zone: end it with Z, or with an offset such as +02:00' end
        local sign, offset = text:match('^([+ -])(.*)$')
        if not sign then return nil, NOT_A_TIME end
        local hours, behind = offset:match('^(%d%d)(.*)$')
        local minutes = '0'
        if hours and behind:find('^[:%d]') then minutes, behind = behind:match('^:?(%d%d)(.*)$') end
        if not hours or not minutes or tonumber(hours) > 23 or tonumber(minutes) > 59 then
            return nil, 'has a zone that is none: Z, or an offset such as +02:00'
        end
        if behind ~= '' then return nil, NOT_A_TIME end
        return (tonumber(hours) * 60 + tonumber(minutes)) * 60000 * (sign == '-' and -1 or 1)
    end

    local function read_iso(text)
        local days, rest, hyphen = read_date(text)
        if not days then return nil, rest end
        if rest == '' then return days * DAY end
        if not rest:find('^[Tt ]') then return nil, NOT_A_TIME end
        local of_day, ms, second, zone = read_time_of_day(rest:sub(2), hyphen)
        if not of_day then return nil, ms end
        local east, wrong = read_zone(zone)
        if not east then return nil, wrong end
        local value = days * DAY + of_day - east
        if second == 60 and value % DAY ~= 0 then return nil, 'names a leap second that is not the last of a day' end
        if value + ms >= YEAR_10000 then return nil, 'lies beyond the year 9999' end
        return value + ms
    end

    -- digits[.digits][e[+-]digits] behind an optional minus: how programs write numbers, 1.7e12 too.
    local function is_number(text)
        local rest = text:match('^%-?%d+(.*)$')
        if not rest then return false end
        rest = rest:match('^%.%d+(.*)$') or rest
        return rest == '' or rest:find('^[eE][+-]?%d+$') ~= nil
    end

    -- Epoch ms (years 0000 to 9999) of what a caller gave; or nil and what is wrong with it, as the end of a sentence.
    function read.date_parse(value)
        local ms = value
        if type(value) == 'string' then
            if not is_number(value) then return read_iso(value) end
            ms = tonumber(value)
        end
        if type(ms) ~= 'number' then return nil, NOT_A_TIME end
        if not (ms < YEAR_10000) then return nil, BEYOND_9999 end
        if ms < YEAR_0 then return nil, 'lies before the year 0' end
        return math.floor(ms)
    end

    -- The same for what is to be looked at now: nothing before 2000, since that is what epoch seconds are.
    function read.date_parse_recent(value)
        local ms, wrong = read.date_parse(value)
        if ms and ms < YEAR_2000 then
            return nil, 'lies before 2000-01-01: epoch times are in milliseconds, not in seconds'
        end
        return ms, wrong
    end

    -- A comparison may mean any time; but no one means the first months of 1970 by such a number.
    function read.looks_like_seconds(value)
        local number = type(value) == 'number' and value or (is_number(tostring(value)) and tonumber(value)) or 0
        return number >= 1e8 and number < 1e10
    end
end)
