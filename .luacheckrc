-- The Redis Functions are one Lua 5.1 chunk, joined at build and loaded by Redis: these are its globals. The joined lines
-- are not the sources' (constants are put in), so their width says nothing.
std = "lua51"
read_globals = { "redis", "cjson", "cmsgpack", "bit" }
max_line_length = false
ignore = {
    "212",      -- arguments that a table of functions hands to all of them
    "421/FIELDS", "421/STATUSES", "431",        -- a file's own name for what another file has, too: each is a do ... end
    "581",      -- not (a < b), which differs from a >= b when one is no number
}
