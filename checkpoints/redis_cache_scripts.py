"""The scripts of the cache on a Redis or Valkey server; each runs there as one step.

Keys, after a prefix: `e:` entries, `c:` claims (`sequence holder`), `f:` failures, `seq` and `log`
for invalidations, `i:` sorted sets of entry ids by expiry for each label. Time is the server's, as
clients' clocks may differ, and an entry that left its index too early could not be invalidated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from checkpoints.cache_values import Invalidation, Labels

REMEMBERED: Final = 1000
"""Invalidations; a call that began before them all counts as outdated."""

_OUTDATED: Final = """
local function outdated(prefix, labels, since)
  local oldest = redis.call('ZRANGE', prefix .. 'log', 0, 0, 'WITHSCORES')
  if oldest[2] and tonumber(oldest[2]) > since + 1 then return true end
  local tags = {}
  for _, tag in ipairs(labels.tags) do tags[tag] = true end
  for _, text in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'log', '(' .. since, '+inf')) do
    local gone = cjson.decode(text)
    if (not gone.agent_id or gone.agent_id == labels.agent_id)
      and (not gone.version or gone.version == labels.version)
      and (not gone.tenant or gone.tenant == labels.tenant)
      and (not gone.tag or tags[gone.tag]) then return true end
  end
  return false
end
local function holder_of(prefix, id)
  local held = redis.call('GET', prefix .. 'c:' .. id)
  if not held then return nil end
  local sequence, holder = held:match('^(%d+) (.*)$')
  return holder, tonumber(sequence)
end
local function note(prefix, invalidation)
  local sequence = redis.call('INCR', prefix .. 'seq')
  invalidation.sequence = sequence
  redis.call('ZADD', prefix .. 'log', sequence, cjson.encode(invalidation))
  redis.call('ZREMRANGEBYRANK', prefix .. 'log', 0, -REMEMBERED - 1)
end
local function drop(prefix, ids)
  local gone = 0
  for _, id in ipairs(ids) do
    gone = gone + redis.call('DEL', prefix .. 'e:' .. id)
    redis.call('ZREM', prefix .. 'i:all', id)
  end
  return gone
end
""".replace("REMEMBERED", str(REMEMBERED))

IS_OUTDATED: Final = (
    _OUTDATED
    + """
-- prefix, labels, since
if outdated(ARGV[1], cjson.decode(ARGV[2]), tonumber(ARGV[3])) then return 1 end
return 0
"""
)

CLAIM: Final = (
    _OUTDATED
    + """
-- prefix, id, holder, labels, lease in ms
local prefix, id = ARGV[1], ARGV[2]
local holder, sequence = holder_of(prefix, id)
if holder and not outdated(prefix, cjson.decode(ARGV[4]), sequence) then
  return {0, holder, sequence}
end
sequence = tonumber(redis.call('GET', prefix .. 'seq') or '0')
redis.call('SET', prefix .. 'c:' .. id, sequence .. ' ' .. ARGV[3], 'PX', ARGV[5])
return {1, ARGV[3], sequence}
"""
)

RENEW: Final = (
    _OUTDATED
    + """
-- prefix, id, holder, lease in ms
if holder_of(ARGV[1], ARGV[2]) ~= ARGV[3] then return 0 end
return redis.call('PEXPIRE', ARGV[1] .. 'c:' .. ARGV[2], ARGV[4])
"""
)

END: Final = (
    _OUTDATED
    + """
-- prefix, id, holder, failure or '', its lifetime in ms
local prefix, id, holder = ARGV[1], ARGV[2], ARGV[3]
if holder_of(prefix, id) == holder then redis.call('DEL', prefix .. 'c:' .. id) end
if ARGV[4] ~= '' then redis.call('SET', prefix .. 'f:' .. holder, ARGV[4], 'PX', ARGV[5]) end
return 0
"""
)

KEEP: Final = (
    _OUTDATED
    + """
-- prefix, id, holder, labels, since or '', record, lifetime in ms or '', indexes
local prefix, id = ARGV[1], ARGV[2]
if holder_of(prefix, id) == ARGV[3] then redis.call('DEL', prefix .. 'c:' .. id) end
if ARGV[5] ~= '' and outdated(prefix, cjson.decode(ARGV[4]), tonumber(ARGV[5])) then return 0 end
local time, expires = redis.call('TIME'), 'inf'
local now = time[1] + time[2] / 1000000
if ARGV[7] == '' then
  redis.call('SET', prefix .. 'e:' .. id, ARGV[6])
else
  redis.call('SET', prefix .. 'e:' .. id, ARGV[6], 'PX', ARGV[7])
  expires = now + 0.01 + tonumber(ARGV[7]) / 1000
end
for _, index in ipairs(cjson.decode(ARGV[8])) do
  local name = prefix .. 'i:' .. index
  redis.call('ZREMRANGEBYSCORE', name, '-inf', '(' .. now)
  redis.call('ZADD', name, expires, id)
end
return 1
"""
)

COUNT: Final = """
-- prefix
return redis.call('ZCOUNT', ARGV[1] .. 'i:all', redis.call('TIME')[1], '+inf')
"""

INVALIDATE: Final = (
    _OUTDATED
    + """
-- prefix, invalidation, indexes
local prefix = ARGV[1]
note(prefix, cjson.decode(ARGV[2]))
local names = {}
for _, index in ipairs(cjson.decode(ARGV[3])) do names[#names + 1] = prefix .. 'i:' .. index end
local ids = redis.call('ZINTER', #names, unpack(names))
local gone = drop(prefix, ids)
if #names == 1 then redis.call('DEL', names[1]) end
return gone
"""
)


def index_names(namespace: str, labels: Labels) -> list[str]:
    """The indexes that an entry stands in."""
    named = (("agent", labels.agent_id), ("version", labels.version), ("tenant", labels.tenant))
    return [
        "all",
        f"namespace:{namespace}",
        *(f"{kind}:{value}" for kind, value in named if value is not None),
        *(f"tag:{tag}" for tag in labels.tags),
    ]


def invalidated_indexes(invalidation: Invalidation) -> list[str]:
    """The indexes whose common entries an invalidation is about."""
    named = (
        ("agent", invalidation.agent_id),
        ("version", invalidation.version),
        ("tenant", invalidation.tenant),
        ("tag", invalidation.tag),
    )
    return [f"{kind}:{value}" for kind, value in named if value is not None] or ["all"]


def labels_json(labels: Labels) -> str:
    """The labels, for a script; what is None is absent."""
    return json.dumps({key: value for key, value in labels._asdict().items() if value is not None})


def invalidation_json(invalidation: Invalidation) -> str:
    """The invalidation, for a script; what is None is absent."""
    return json.dumps(
        {key: value for key, value in invalidation._asdict().items() if value is not None}
    )
