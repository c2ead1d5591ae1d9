-- bgop_describe: what a BackgroundOperation is, made from the record's tables: the describe of the Salesforce object
-- reference without the members that hold URLs (the HTTP endpoint adds those).
--   keys  none or bgop:{s}    args  [object name ...]
--   ->    [{...}]             errors INVALID_TYPE
read.part({'bgop_describe'}, function()
    local FALSE, TRUE, NULL = 'false', 'true', 'null'
    local SOAP = {id = 'tns:ID', reference = 'tns:ID', string = 'xsd:string', picklist = 'xsd:string', int = 'xsd:int',
                 dateTime = 'xsd:dateTime', boolean = 'xsd:boolean'}
    local LENGTH = {id = 18, reference = 18, string = 255, picklist = 255}
    local ON_CREATE = {Id = true, IsDeleted = true, CreatedDate = true, LastModifiedDate = true, SystemModstamp = true}

    local function bool(value) return value and TRUE or FALSE end

    -- All members of a field's description, in order; a member that is a function of the field is called with it.
    local FIELD_MEMBERS = {
        {'aggregatable', function(f) return bool(f.type ~= 'boolean') end},
        {'aiPredictionField', FALSE}, {'autoNumber', FALSE},
        {'byteLength', function(f) return LENGTH[f.type] == 255 and 765 or LENGTH[f.type] or 0 end},
        {'calculated', FALSE}, {'calculatedFormula', NULL}, {'cascadeDelete', FALSE}, {'caseSensitive', FALSE},
        {'compoundFieldName', NULL}, {'controllerName', NULL}, {'createable', FALSE}, {'custom', FALSE},
        {'defaultValue', NULL}, {'defaultValueFormula', NULL},
        {'defaultedOnCreate', function(f) return bool(ON_CREATE[f.name]) end},
        {'dependentPicklist', FALSE}, {'deprecatedAndHidden', FALSE},
        {'digits', function(f) return f.type == 'int' and 9 or 0 end},
        {'displayLocationInDecimal', FALSE}, {'encrypted', FALSE}, {'externalId', FALSE}, {'extraTypeInfo', NULL},
        {'filterable', function(f) return bool(f.F) end},
        {'filteredLookupInfo', NULL}, {'formulaTreatNullNumberAsZero', FALSE},
        {'groupable', function(f) return bool(f.G) end},
        {'highScaleNumber', FALSE}, {'htmlFormatted', FALSE},
        {'idLookup', function(f) return bool(f.L) end},
        {'inlineHelpText', NULL},
        {'label', function(f) return read.json_text(f.label) end},
        {'length', function(f) return LENGTH[f.type] or 0 end},
        {'mask', NULL}, {'maskType', NULL},
        {'name', function(f) return read.json_text(f.name) end},
        {'nameField', function(f) return bool(f.name == 'Name') end},
        {'namePointing', FALSE},
        {'nillable', function(f) return bool(f.N) end},
        {'permissionable', FALSE},
        {'picklistValues', function(f, picklists) return picklists[f.name] or '[]' end},
        {'polymorphicForeignKey', FALSE}, {'precision', '0'}, {'queryByDistance', FALSE},
        {'referenceTargetField', NULL},
        {'referenceTo', function(f) return f.type == 'reference' and '["BackgroundOperation"]' or '[]' end},
        {'relationshipName', function(f) return f.name == 'GroupLeaderId' and '"GroupLeader"' or NULL end},
        {'relationshipOrder', NULL}, {'restrictedDelete', FALSE},
        {'restrictedPicklist', function(f) return bool(f.R) end},
        {'scale', '0'}, {'searchPrefilterable', FALSE},
        {'soapType', function(f) return '"' .. SOAP[f.type] .. '"' end},
        {'sortable', function(f) return bool(f.S) end},
        {'type', function(f) return '"' .. f.type:lower() .. '"' end},
        {'unique', FALSE}, {'updateable', FALSE}, {'writeRequiresMasterRead', FALSE},
    }

    -- What surrounds `fields`, in the order of their names.
    local OBJECT_BEFORE = '"actionOverrides":[],"activateable":false,"associateEntityType":null,' ..
        '"associateParentEntity":null,"childRelationships":[{"cascadeDelete":false,' ..
        '"childSObject":"BackgroundOperation","deprecatedAndHidden":false,"field":"GroupLeaderId",' ..
        '"junctionIdListNames":[],"junctionReferenceTo":[],"relationshipName":"MergedOperations",' ..
        '"restrictedDelete":false}],"compactLayoutable":false,"createable":false,"custom":false,' ..
        '"customSetting":false,"deepCloneable":false,"defaultImplementation":null,"deletable":false,' ..
        '"deprecatedAndHidden":false,"extendedBy":null,"extendsInterfaces":null,"feedEnabled":false,"fields":'
    local OBJECT_AFTER = ',"hasSubtypes":false,"implementedBy":null,"implementsInterfaces":null,"isInterface":false,' ..
        '"isSubtype":false,"keyPrefix":"08P","label":"Background Operation","labelPlural":"Background Operations",' ..
        '"layoutable":false,"listviewable":null,"lookupLayoutable":null,"mergeable":false,"mruEnabled":false,' ..
        '"name":"BackgroundOperation","namedLayoutInfos":[],"networkScopeFieldName":null,"queryable":true,' ..
        '"recordTypeInfos":[],"replicateable":true,"retrieveable":true,"searchLayoutable":false,"searchable":false,' ..
        '"sobjectDescribeOption":"FULL","supportedScopes":[],"triggerable":false,"undeletable":false,' ..
        '"updateable":false'

    local function field_json(field, picklists)
        local out = {}
        for i, member in ipairs(FIELD_MEMBERS) do
            local value = member[2]
            if type(value) == 'function' then value = value(field, picklists) end
            out[i] = '"' .. member[1] .. '":' .. value
        end
        return '{' .. table.concat(out, ',') .. '}'
    end

    local function picklist_json(names, inactive)
        local out = {}
        for i, name in ipairs(names) do
            local text = read.json_text(name)
            out[i] = '{"active":' .. bool(not inactive[name]) .. ',"defaultValue":false,"label":' .. text ..
               ',"validFor":null,"value":' .. text .. '}'
        end
        return '[' .. table.concat(out, ',') .. ']'
    end

    -- The record's own Types and those the configuration declares, by name; which of them are reserved.
    local function type_names(shards)
        local names, known, reserved = {}, {}, {}
        for _, record_type in ipairs(TYPES) do
            names[#names + 1], known[record_type.name] = record_type.name, true
            reserved[record_type.name] = record_type.reserved or nil
        end
        for _, shard in ipairs(shards) do           -- every armed shard has the same: the first will do
            local mode, generation = read.gate(shard)
            if mode ~= 'EMPTY' then
                local types = types_of(read.prefix(shard), generation)
                for _, name in ipairs(types.names) do
                    if not known[name] and types.current[name].declared then names[#names + 1] = name end
                end
                break
            end
        end
        table.sort(names)
        return names, reserved
    end

    function read.object_json(shards)
        local names, reserved = type_names(shards)
        local statuses = {}
        for i, status in ipairs(STATUSES) do statuses[i] = status.name end
        local picklists = {Status = picklist_json(statuses, {}), Type = picklist_json(names, reserved)}
        local fields = {}
        for i, field in ipairs(FIELDS) do fields[i] = field_json(field, picklists) end
        return '{' .. OBJECT_BEFORE .. '[' .. table.concat(fields, ',') .. ']' .. OBJECT_AFTER .. '}'
    end

    function read.calls.bgop_describe(keys, args)
        for _, name in ipairs(args) do
            if name ~= 'BackgroundOperation' then
                read.fail('INVALID_TYPE', "sObject type %s is not supported%s", read.quote(name),
                              read.nearest(name, {'BackgroundOperation'}))
            end
        end
        return '[' .. read.object_json(read.shards(keys)) .. ']'
    end
end)
