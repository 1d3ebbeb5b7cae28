#!lua name=payhub

-- payhub's one function library for Redis 7.  Raise VERSION with every change:
-- clients replace an older library and leave a newer one.

local VERSION = 5

redis.register_function{
  function_name = 'ph_version',
  callback = function() return VERSION end,
  flags = { 'no-writes' },
}

-- Locks.  ARGV layout: 'string' (or none), as Redlock clients have it, a
-- string set NX PX; or 'redisson', as Redisson's RLock has it, a hash of holder
-- and hold count.  A key of the other layout is somebody's lock all the same.

-- Where a release is told: Redisson's own channel, or KEY:free.
local function free_channel(key, layout)
  if layout ~= 'redisson' then
    return key .. ':free'
  end
  if key:find('{', 1, true) then
    return 'redisson_lock__channel:' .. key
  end
  return 'redisson_lock__channel:{' .. key .. '}'
end

-- The field of a holder: client id and thread, of which ours have one.
local function holder(value)
  return value .. ':1'
end

local function is_mine(key, value, layout)
  local kind = redis.call('TYPE', key).ok
  if layout == 'redisson' then
    return kind == 'hash' and redis.call('HEXISTS', key, holder(value)) == 1
  end
  return kind == 'string' and redis.call('GET', key) == value
end

-- Grants the lock when nobody holds it, and draws a fencing token when there
-- is a counter.
-- KEYS lock [fence]; ARGV value ttl_ms [layout]  ->  { token or 1, 0 } or
-- { 0, ms left }.
local function lock(keys, argv)
  local granted
  if argv[3] == 'redisson' then
    granted = redis.call('EXISTS', keys[1]) == 0
    if granted then
      redis.call('HSET', keys[1], holder(argv[1]), 1)
      redis.call('PEXPIRE', keys[1], argv[2])
    end
  else
    granted = redis.call('SET', keys[1], argv[1], 'NX', 'PX', argv[2])
  end
  if not granted then
    return { 0, redis.call('PTTL', keys[1]) }
  end
  return { keys[2] and redis.call('INCR', keys[2]) or 1, 0 }
end

redis.register_function('ph_lock', lock)

-- KEYS lock; ARGV value [layout]  ->  1 released, 0 it was not ours any more.
redis.register_function('ph_unlock', function(keys, argv)
  if not is_mine(keys[1], argv[1], argv[2]) then
    return 0
  end
  redis.call('DEL', keys[1])
  redis.call('PUBLISH', free_channel(keys[1], argv[2]), '0')
  return 1
end)

-- KEYS lock; ARGV value ttl_ms [layout]  ->  1 renewed, 0 lost.
redis.register_function('ph_renew', function(keys, argv)
  if is_mine(keys[1], argv[1], argv[3]) then
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

-- The live changes of the cluster: one hash of what holds now, a version, a
-- stream of what was done, and the ids that were done lately, so that a change
-- told twice is made once.  An epoch names this run of versions: when Redis
-- lost its data, edges see another one and tell their changes again.

local CHANGES_MAX = 1024
local CHANGES_BYTES = 160 * 1024 -- with each edge's own marks they fit there
local STREAM_MAX = 1000
local DONE_MAX = 4096

local function config_at(key)
  local at = redis.call('HMGET', key, 'epoch', 'version')
  if at[1] then
    return at[1] .. ':' .. at[2]
  end
  return ''
end

-- KEYS at now; ARGV known  ->  { at } when it is the known one, else
-- { at, change, ... } with everything that holds.
redis.register_function{
  function_name = 'ph_config_read',
  callback = function(keys, argv)
    local answer = { config_at(keys[1]) }
    if answer[1] ~= argv[1] then
      for _, change in ipairs(redis.call('HVALS', keys[2])) do
        answer[#answer + 1] = change
      end
    end
    return answer
  end,
  flags = { 'no-writes' },
}

-- Takes out what has ended; only when the hash is filling up.
local function config_prune(key, now)
  if redis.call('HLEN', key) < CHANGES_MAX / 2 then
    return
  end
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local change = cjson.decode(all[i + 1])
    local ends = tonumber(change['until']) or 0
    if ends > 0 and ends < now then
      redis.call('HDEL', key, all[i])
    end
  end
end

-- Whether a change more would be too many, or too long together.
local function config_is_full(key, ident, change)
  local stands = redis.call('HGET', key, ident)
  if not stands and redis.call('HLEN', key) >= CHANGES_MAX then
    return true
  end
  local bytes = #change - #(stands or '')
  for _, text in ipairs(redis.call('HVALS', key)) do
    bytes = bytes + #text
  end
  return bytes > CHANGES_BYTES and #change > #(stands or '')
end

-- KEYS at now stream done; ARGV seed (of an epoch), id, ident, change ('' =
-- take it away), unix seconds, made_at ('' = it is new; else it is told again
-- and gives way to one made later)  ->  { at, 1 made, 0 was made before }.
redis.register_function('ph_config_set', function(keys, argv)
  local at, now, stream, done = keys[1], keys[2], keys[3], keys[4]
  local id, ident, change = argv[2], argv[3], argv[4]
  redis.call('HSETNX', at, 'epoch', argv[1])
  if redis.call('ZSCORE', done, id) then
    return { config_at(at), 0 }
  end
  if argv[6] ~= '' then
    local stands = redis.call('HGET', now, ident)
    local made = stands and tonumber(cjson.decode(stands)['at']) or 0
    if stands and made >= tonumber(argv[6]) then
      return { config_at(at), 0 }
    end
  end
  config_prune(now, tonumber(argv[5]))
  if change ~= '' and config_is_full(now, ident, change) then
    return redis.error_reply('FULL expected at most ' .. CHANGES_MAX
                             .. ' live changes of ' .. CHANGES_BYTES
                             .. ' bytes')
  end
  local version = redis.call('HINCRBY', at, 'version', 1)
  if change ~= '' then
    redis.call('HSET', now, ident, change)
  else
    redis.call('HDEL', now, ident)
  end
  redis.call('ZADD', done, version, id)
  redis.call('ZREMRANGEBYRANK', done, 0, -DONE_MAX - 1)
  redis.call('XADD', keys[3], 'MAXLEN', '~', STREAM_MAX, '*', 'version',
             version, 'ident', ident, 'change', change)
  return { config_at(at), 1 }
end)

-- Shares of limits.  Every host that is there may use its floor of every key,
-- half of an equal part; what is over goes to who asks, by what it asked for
-- lately.  The shares of one key that are out at one moment and the floors of
-- the other hosts are never more than the whole.
-- KEYS hosts, then one hash a key; ARGV host, ttl_ms, then what was asked for
-- of each key  ->  { hosts, parts, ... } with parts of SHARE_PARTS.

local SHARE_PARTS = 10000
local HOST_MS = 10000

local function share(key, host, asked, hosts, floor, now, ttl)
  local all = redis.call('HGETALL', key)
  local out, others, wanted = 0, 0, 0
  for i = 1, #all, 2 do
    local parts, want, ends = all[i + 1]:match('^(%d+) (%d+) (%d+)$')
    if all[i] == host or not parts or tonumber(ends) < now then
      redis.call('HDEL', key, all[i])
    else
      out = out + tonumber(parts)
      wanted = wanted + tonumber(want)
      others = others + 1
    end
  end
  local left = SHARE_PARTS - out - floor * math.max(0, hosts - 1 - others)
  local fair = SHARE_PARTS
  if wanted + asked > 0 then
    fair = math.floor(SHARE_PARTS * asked / (wanted + asked))
  end
  fair = math.min(fair, SHARE_PARTS - floor * (hosts - 1))
  local parts = math.max(floor, math.min(fair, left))
  redis.call('HSET', key, host,
             string.format('%d %d %d', parts, asked, now + ttl))
  redis.call('PEXPIRE', key, ttl * 2)
  return parts
end

redis.register_function('ph_share', function(keys, argv)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local host, ttl = argv[1], tonumber(argv[2])
  redis.call('ZADD', keys[1], now, host)
  redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', now - HOST_MS)
  redis.call('PEXPIRE', keys[1], HOST_MS)
  local hosts = redis.call('ZCARD', keys[1])
  local floor = SHARE_PARTS
  if hosts > 1 then
    floor = math.floor(SHARE_PARTS / (2 * hosts))
  end
  local answer = { hosts }
  for i = 2, #keys do
    answer[i] = share(keys[i], host, tonumber(argv[i + 1]), hosts, floor, now,
                      ttl)
  end
  return answer
end)
