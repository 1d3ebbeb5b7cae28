#!lua name=payhub

-- payhub's one function library for Redis 7.  Raise VERSION with every change:
-- clients replace an older library and leave a newer one.

local VERSION = 2

redis.register_function{
  function_name = 'ph_version',
  callback = function() return VERSION end,
  flags = { 'no-writes' },
}

-- Grants the lock when nobody holds it, and draws a fencing token.
-- KEYS lock fence; ARGV value ttl_ms  ->  { token, 0 } or { 0, ms left }.
-- The layout is that of Redlock clients: a string set NX PX.
local function lock(keys, argv)
  if redis.call('SET', keys[1], argv[1], 'NX', 'PX', argv[2]) then
    return { redis.call('INCR', keys[2]), 0 }
  end
  return { 0, redis.call('PTTL', keys[1]) }
end

redis.register_function('ph_lock', lock)

-- KEYS lock; ARGV value  ->  1 released, 0 it was not ours any more.
redis.register_function('ph_unlock', function(keys, argv)
  if redis.call('GET', keys[1]) == argv[1] then
    return redis.call('DEL', keys[1])
  end
  return 0
end)

-- KEYS lock; ARGV value ttl_ms  ->  1 renewed, 0 lost.
redis.register_function('ph_renew', function(keys, argv)
  if redis.call('GET', keys[1]) == argv[1] then
    return redis.call('PEXPIRE', keys[1], argv[2])
  end
  return 0
end)

-- Raises a fence counter that fell behind a row (fail-over, flush).
-- KEYS fence; ARGV at_least  ->  the counter after it.
redis.register_function('ph_fence_raise', function(keys, argv)
  local at_least = tonumber(argv[1])
  local now = tonumber(redis.call('GET', keys[1]) or '0')
  if now < at_least then
    redis.call('SET', keys[1], argv[1])
    return at_least
  end
  return now
end)

-- Takes back the increments [first, last) of argv that were made on `key`.
local function unadd(key, argv, first, last)
  for at = first, last - 2, 2 do
    local back = argv[at + 1]
    back = back:sub(1, 1) == '-' and back:sub(2) or '-' .. back
    if redis.call('HINCRBY', key, argv[at], back) == 0 then
      redis.call('HDEL', key, argv[at])
    end
  end
end

-- Moves counters and binlog position in one step, by compare-and-set on the
-- position.  KEYS position, then one hash a bucket.
-- ARGV expected, new, at_ms, hint, unsure ('' = nothing to say), then for each
-- bucket: ttl_s (0 = keep for ever), number of fields, field, delta, ...
--   ->  'OK', or { 'STALE', stored } with nothing changed.
-- A field that comes to zero is dropped, so that an untouched bucket and one
-- that was undone look the same.  An increment that Redis refuses (another
-- type of key, a sum beyond 64 bits) is an error with nothing changed.
redis.register_function('ph_apply', function(keys, argv)
  local stored = redis.call('HGET', keys[1], 'gtid') or ''
  if stored ~= argv[1] then
    return { 'STALE', stored }
  end
  local at = 6
  local done = {}
  for k = 2, #keys do
    local ttl, fields = tonumber(argv[at]), tonumber(argv[at + 1])
    local first = at + 2
    local last = first + 2 * fields
    for f = first, last - 2, 2 do
      local sum = redis.pcall('HINCRBY', keys[k], argv[f], argv[f + 1])
      if sum == 0 then
        redis.call('HDEL', keys[k], argv[f])
      elseif type(sum) == 'table' then
        unadd(keys[k], argv, first, f)
        for b = 2, k - 1 do
          unadd(keys[b], argv, done[b][1], done[b][2])
        end
        return redis.error_reply('ERR ph_apply ' .. keys[k] .. ': ' .. sum.err)
      end
    end
    if ttl > 0 then
      redis.call('EXPIRE', keys[k], ttl, 'NX')
    end
    done[k] = { first, last }
    at = last
  end
  redis.call('HSET', keys[1], 'gtid', argv[2], 'at_ms', argv[3], 'hint', argv[4])
  if argv[5] ~= '' then
    redis.call('HSET', keys[1], 'unsure', argv[5])
  end
  return 'OK'
end)
