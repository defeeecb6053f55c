function init(args)
  local file = io.open(args[1])
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["content-type"] = "application/json"
  wrk.headers["authorization"] = "Bearer " .. args[2]
end

function done(summary, latency, requests)
  local e = summary.errors
  print(string.format('{"requests":%d,"errors":%d,"seconds":%f,"p50_us":%d,"p99_us":%d}', summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.duration / 1e6, latency:percentile(50), latency:percentile(99)))
end
