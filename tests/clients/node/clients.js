// ioredis and node-redis with their default options. Usage: node clients.js PORT
"use strict";

const assert = require("node:assert");
const Redis = require("ioredis");
const { createClient } = require("redis");

const port = Number(process.argv[2]);
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

async function ioredis() {
    const client = new Redis(port);
    assert.equal(await client.set("a", "1"), "OK");
    assert.equal(await client.get("a"), "1");
    assert.equal(await client.get("none"), null);
    assert.equal(await client.set("a", "2", "NX"), null);
    await client.set("bytes", everyByte);
    assert.deepEqual(await client.getBuffer("bytes"), everyByte);
    const replies = await client.multi().incr("n").incr("n").get("n").exec();
    assert.deepEqual(replies.map(([, reply]) => reply), [1, 2, "2"]);
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; ++i) {
        pipeline.set(`k${i}`, i);
    }
    await pipeline.exec();
    let found = 0;
    for await (const keys of client.scanStream({ match: "k*", count: 50 })) {
        found += keys.length;
    }
    assert.equal(found, 1000);
    await assert.rejects(client.incr("bytes"), /not an integer/);
    await client.quit();
}

async function nodeRedis() {
    const client = createClient({ socket: { port } });
    await client.connect();
    assert.equal(await client.set("a", "1", { EX: 100 }), "OK");
    assert.ok((await client.ttl("a")) >= 99);
    assert.equal(await client.get("a"), "1");
    assert.deepEqual(await client.mGet(["a", "none"]), ["1", null]);
    assert.deepEqual(await client.multi().set("m", "1").get("m").exec(), ["OK", "1"]);
    const found = new Set();
    for await (const key of client.scanIterator({ MATCH: "k*", COUNT: 50 })) {
        found.add(key);
    }
    assert.equal(found.size, 1000);
    assert.match(await client.info(), /redis_version/);
    await client.quit();
}

ioredis()
    .then(nodeRedis)
    .then(() => console.log("OK"))
    .catch((error) => {
        console.error(error);
        process.exit(1);
    });
