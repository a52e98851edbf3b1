#!lua
-- Publish the snapshots of some patients, each unless Redis already has this version or a newer
-- one. Returns for each of them written | unchanged | duplicate | superseded | conflict, or an error.
-- KEYS[1] events (stream)   KEYS[2] latest (a subject id)   KEYS[3…] the documents
-- ARGV[1] about how many events to keep   ARGV[2] what the key of any document begins with
-- ARGV[3…] of each patient: subject id, incarnation, version, fingerprint, and the document,
-- envelope included

-- The envelope stands first in every document of ours. What begins otherwise is none: replaced.
local ENVELOPE = '^{"incarnation":(%d+),"version":(%d+),"fingerprint":"([^"]+)"'
local AS_OF = '"asOfMs": ?(%d+)'

local function text_at(key)
  local reply = redis.pcall('GET', key)
  return type(reply) == 'string' and reply or ''
end

local function as_of(document)
  return tonumber(string.match(document, AS_OF))
end

-- Looked up once, and only if somebody might come after it; written once, in the end.
local latest_there, latest, latest_as_of

local function consider(subject, at)
  if not latest then
    latest_there = text_at(KEYS[2])
    latest, latest_as_of = latest_there, as_of(text_at(ARGV[2] .. latest_there))
  end
  if latest == subject then
    latest_as_of = at
  elseif not latest_as_of or latest_as_of <= at then
    latest, latest_as_of = subject, at
  end
end

local function publish(key, subject, incarnation, version, fingerprint, document)
  local changed = true
  local stored = redis.call('GET', key) or ''
  local incarnation_there, version_there, fingerprint_there = string.match(stored, ENVELOPE)

  if incarnation_there then
    local ahead = tonumber(incarnation_there) - tonumber(incarnation)
    if ahead == 0 then ahead = tonumber(version_there) - tonumber(version) end
    changed = fingerprint_there ~= fingerprint
    if ahead > 0 then return 'superseded' end
    if ahead == 0 then return changed and 'conflict' or 'duplicate' end
  end

  -- The event first: an error further down does not undo it, and twice is better than never.
  -- Its numbers are ARGV as it came, because Lua would print a large one as 1e+15.
  -- Without the stream nobody can be told of any patient: an outage, under a code of its own.
  if changed then
    local event = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'subjectId', subject,
      'incarnation', incarnation, 'version', version, 'fingerprint', fingerprint)
    if event.err then return redis.error_reply('NOEVENTS ' .. event.err) end
  end
  redis.call('SET', key, document)
  consider(subject, as_of(document))
  return changed and 'written' or 'unchanged'
end

-- What is wrong with one patient's key is no other patient's matter.
local replies = {}
for n = 3, #KEYS do
  local first = 3 + (n - 3) * 5
  local done, reply = pcall(publish, KEYS[n], unpack(ARGV, first, first + 4))
  -- Redis raises an error as a table, Valkey as its text.
  if not done then reply = redis.error_reply(type(reply) == 'table' and reply.err or reply) end
  replies[n - 2] = reply
end
if latest ~= latest_there then redis.call('SET', KEYS[2], latest) end
return replies
