-- Posts the lines of a file as JSON, each thread its share of them, over and over, and says what came of it.

local threads = 0

function setup(thread)
  thread:set("place", threads)
  threads = threads + 1
end

function init(arguments)
  local file, key, count = arguments[1], arguments[2], tonumber(arguments[3])
  bodies, posted = {}, 0
  local number = 0
  for line in io.lines(file) do
    if number % count == place then
      bodies[#bodies + 1] = line
    end
    number = number + 1
  end
  wrk.method = "POST"
  wrk.headers["Authorization"] = "Bearer " .. key
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  posted = posted % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[posted])
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests":%d,"failed":%d,"microseconds":%d,"p50":%d,"p99":%d}\n',
    summary.requests, failed, summary.duration, latency:percentile(50), latency:percentile(99)
  ))
end
