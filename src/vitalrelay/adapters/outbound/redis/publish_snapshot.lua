#!lua
-- Publish one patient's snapshot, unless Redis already has this version or a newer one.
-- Returns written | unchanged | duplicate | superseded | conflict.
-- KEYS[1] document   KEYS[2] events (stream)   KEYS[3] latest (a subject id)
-- ARGV[1] subject id   ARGV[2] incarnation   ARGV[3] version   ARGV[4] fingerprint
-- ARGV[5] the document, envelope included   ARGV[6] about how many events to keep
-- ARGV[7] what the key of any document begins with

-- The envelope stands first in every document of ours. What begins otherwise is none: replaced.
local ENVELOPE = '^{"incarnation":(%d+),"version":(%d+),"fingerprint":"([^"]+)"'
local AS_OF = '"asOfMs": ?(%d+)'

local function text_at(key)
  local reply = redis.pcall('GET', key)
  return type(reply) == 'string' and reply or ''
end

local changed = true
local stored = redis.call('GET', KEYS[1]) or ''
local incarnation, version, fingerprint = string.match(stored, ENVELOPE)

if incarnation then
  local ahead = tonumber(incarnation) - tonumber(ARGV[2])
  if ahead == 0 then ahead = tonumber(version) - tonumber(ARGV[3]) end
  changed = fingerprint ~= ARGV[4]
  if ahead > 0 then return 'superseded' end
  if ahead == 0 then return changed and 'conflict' or 'duplicate' end
end

-- The event first: an error further down does not undo it, and twice is better than never.
-- Its numbers are ARGV as it came, because Lua would print a large one as 1e+15.
-- Without the stream nobody can be told of any patient: an outage, under a code of its own.
if changed then
  local event = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*',
    'subjectId', ARGV[1], 'incarnation', ARGV[2], 'version', ARGV[3], 'fingerprint', ARGV[4])
  if event.err then return redis.error_reply('NOEVENTS ' .. event.err) end
end
redis.call('SET', KEYS[1], ARGV[5])

local latest = text_at(KEYS[3])
if latest ~= ARGV[1] then
  local shown = string.match(text_at(ARGV[7] .. latest), AS_OF)
  if not shown or tonumber(shown) <= tonumber(string.match(ARGV[5], AS_OF)) then
    redis.call('SET', KEYS[3], ARGV[1])
  end
end
return changed and 'written' or 'unchanged'
