<?php
// phpredis writes a whole pipeline before it reads. Usage: pipeline.php PORT|SOCKET tcp|unix|tls SETS GETS [CA]
[, $where, $transport, $sets, $gets] = $argv;
$redis = new Redis();
$value = str_repeat('v', 100);
if ($transport === 'unix') {
    $redis->connect($where);
} elseif ($transport === 'tls') {
    $redis->connect('tls://localhost', (int) $where, 60, '', 0, 60, ['stream' => ['cafile' => $argv[5]]]);
} else {
    $redis->connect('127.0.0.1', (int) $where, 60);
}
$pipe = $redis->multi(Redis::PIPELINE);
for ($i = 0; $i < $sets; ++$i) {
    $pipe->set("k$i", $value);
}
$replies = $pipe->exec();
$stored = count(array_filter($replies, fn ($each) => $each === true));
$pipe = $redis->multi(Redis::PIPELINE);
for ($i = 0; $i < $gets; ++$i) {
    $pipe->get('k' . $i % $sets);
}
$replies = $pipe->exec();
$found = count(array_filter($replies, fn ($each) => $each === $value));
echo "$stored $found\n";
