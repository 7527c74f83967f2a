-- wrk as a reference for streams: it reads the bytes and parses nothing but HTTP.
wrk.method = "POST"
wrk.body = '{"model":"simulator","messages":[{"role":"user","content":"one two three"}],"stream":true}'
wrk.headers["Content-Type"] = "application/json"
