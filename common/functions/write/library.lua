-- bgop_library: which build of the library this is, and what its caller may not do (ACL). It touches no key.
--   args  [user of deploy/redis/users.acl, without bgop-: coordinator, worker, operator, monitor]
--   ->    version, SHA-1, (command that this user needs and the caller may not run on a key of ours)*
-- What only makes hints quicker is not asked for: who may not publish or listen does without. Nor is the renewal of the
-- append-only file, which hosted servers forbid.
do
    local OPTIONAL = {spublish = true, ssubscribe = true, sunsubscribe = true, ['pubsub|shardnumsub'] = true, ping = true,
                      bgrewriteaof = true}
    -- Where their keys are, other arguments say; they are found out when they are called.
    local UNCHECKED = {fcall = true, fcall_ro = true, xread = true}

    -- As many keys as the longest needs arguments: with fewer than a command takes, Redis 7.0 looks for its keys behind
    -- the last one, and crashes.
    local function may_run(command)
        local words, key = {}, 'bgop:{0}' .. KEY.GATE
        for word in command:gmatch('[^|]+') do words[#words + 1] = word end
        for _ = 1, 8 do words[#words + 1] = key end
        local known, may = pcall(redis.acl_check_cmd, unpack(words))
        return not known or may
    end

    local function library(_, args)
        local answer = {[LIBRARY_ANSWER.VERSION] = LIBRARY.version, [LIBRARY_ANSWER.DIGEST] = LIBRARY.sha1}
        local commands = LIBRARY.users[args[LIBRARY_CALL.USER] or ''] or ''
        for command in commands:gmatch('%+([%l_|]+)') do
            if not OPTIONAL[command] and not UNCHECKED[command] and not may_run(command) then answer[#answer + 1] = command end
        end
        return answer
    end

    redis.register_function{function_name = 'bgop_library', callback = library, flags = {'no-writes'}}
end
