-- create.lua - wrk: each request creates a ConfigMap of its own.
local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end
function init()
  count = 0
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end
function request()
  count = count + 1
  return wrk.format(nil, nil, nil, string.format(
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"w%d-%d"},"data":{"key":"value","other":"some text"}}', id, count))
end
