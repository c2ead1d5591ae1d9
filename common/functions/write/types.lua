-- Settings of the Types: `types` holds "<Type>" -> current version and "<Type>:<version>" -> settings as JSON. Only
-- bgop_arm writes it, and arming raises the generation: so a copy per shard and generation may be kept between calls.
-- type_settings(prefix, generation, type)          the current ones (with .version), nil: unknown
-- type_settings(prefix, generation, type, version) those a record was made with (its field `v`; absent = '1')
local types_of, type_settings, types_forget
do
    local kept = {}

    local function load(prefix)
        local types = {current = {}, versions = {}, names = {}}
        local all = call('HGETALL', prefix .. KEY.TYPES)
        for i = 1, #all, 2 do
            if all[i]:find(':', 1, true) then
                local settings = cjson.decode(all[i + 1])
                settings.type, settings.version = all[i]:match('^(.*):(%d+)$')
                types.versions[all[i]] = settings
            end
        end
        for i = 1, #all, 2 do
            if not all[i]:find(':', 1, true) then
                types.names[#types.names + 1] = all[i]
                types.current[all[i]] = types.versions[all[i] .. ':' .. all[i + 1]]
            end
        end
        table.sort(types.names)
        return types
    end

    -- {current = {Type -> settings}, versions = {"Type:version" -> settings}, names = sorted list of Types}
    function types_of(prefix, generation)
        local types = kept[prefix]
        if not types or types.generation ~= generation then
            types = load(prefix)
            types.generation = generation
            kept[prefix] = types
        end
        return types
    end

    function types_forget(prefix) kept[prefix] = nil end

    function type_settings(prefix, generation, type, version)
        local types = types_of(prefix, generation)
        if version == nil then return types.current[type] end
        return types.versions[type .. ':' .. (version or '1')]
    end
end
