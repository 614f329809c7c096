# redis-rb writes a whole pipeline before it reads. Usage: pipeline.rb PORT|SOCKET tcp|unix|tls SETS GETS [CA]
require "redis"

where, transport, sets, gets, authority = ARGV
options =
  case transport
  when "unix" then { path: where }
  when "tls" then { host: "localhost", port: where.to_i, ssl: true, ssl_params: { ca_file: authority } }
  else { host: "127.0.0.1", port: where.to_i }
  end
redis = Redis.new(**options, timeout: 60)
value = "v" * 100
stored = redis.pipelined { |pipe| sets.to_i.times { |i| pipe.set("k#{i}", value) } }.count("OK")
found = redis.pipelined { |pipe| gets.to_i.times { |i| pipe.get("k#{i % sets.to_i}") } }.count(value)
puts "#{stored} #{found}"
