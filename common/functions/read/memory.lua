-- What earlier calls have read and cannot have changed since: minutes that are over, and texts of errors. bgop_stats and
-- bgop_history tell the same of them each time anybody looks, and reading them takes longer than all the rest of a call.
--
-- It lies in the library's own memory: gone when Redis restarts or the library is loaded, and then the next call reads all of it
-- again. Of a shard it holds for one life of its data (read.gates), and as long as nothing is taken away:
--   a minute's hash is written while the gate's `now` is in that minute, and dropped when `rolled` is an hour past it. After a
--   long time without ticks more than that is dropped; then `rolled` leaps by more than an hour (write/expire.lua)
--   the sums stats:5 and stats:60 are written together with `rolled`
-- Whoever reads a minute asks the gate first, in the same call: nothing comes between.
read.part({}, function()
    local HOUR = 60
    local memory = {}       -- shard -> {life, rolled, minutes, over, errors}

    -- Of a shard:
    --   minutes  minute -> what history.lua knows of it
    --   over     what stats.lua knows of the minutes before one, as long as `rolled` is the same
    --   errors   what stats.lua knows of the newest errors
    -- Who fills them looks whether what is put in is over. A shard that was never armed has none: empty each time.
    function read.memory(shard, gate)
        local of = memory[shard]
        if not gate.life or not gate.rolled then return {minutes = {}} end
        local rolled = of and of.life == gate.life and gate.rolled - of.rolled
        if not rolled or rolled < 0 or rolled > HOUR then
            of = {life = gate.life, minutes = {}}
            memory[shard] = of
        elseif rolled > 0 then
            of.over = nil
            for minute in pairs(of.minutes) do
                if minute <= gate.rolled - HOUR then of.minutes[minute] = nil end
            end
        end
        of.rolled = gate.rolled
        return of
    end
end)
