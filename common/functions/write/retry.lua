-- The retry law, here and nowhere else (the tests' oracle is tests/support/retry_law.c): retry k waits 0, 3R, 7R, 15R ... =
-- (2^k - 1) * R from k = 2 on, nothing for k = 1; each from the failure of the attempt before. Saturates at max_ms.
local function retry_delay_ms(k, backoff_ms, max_ms)
    if k <= 1 or backoff_ms <= 0 then return 0 end
    return math.min((2 ^ k - 1) * backoff_ms, max_ms)
end
