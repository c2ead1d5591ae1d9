// Loads BullMQ as the benchmarks load a queue; every job's record is kept, which is its default.
//   node bench.js PORT SLOTS worker                               until SIGTERM; prints "ready"
//   node bench.js PORT SLOTS rate COUNT                           addBulk of 1,000, four in flight
//   node bench.js PORT SLOTS latency RATE SECONDS WARM_UP         from the moment a job is due to its event "completed"
// Prints one JSON object.
"use strict";
const { Queue, QueueEvents, Worker } = require("bullmq");

const [port, slots, what, ...rest] = process.argv.slice(2);
const numbers = rest.map(Number);
const connection = { host: "127.0.0.1", port: Number(port) };
const payload = { p: "x".repeat(194) };         // 200 bytes as JSON
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function work() {
    const worker = new Worker("bench", async () => {}, { connection, concurrency: Number(slots) });
    await worker.waitUntilReady();
    process.on("SIGTERM", () => process.exit(0));
    console.log("ready");
}

async function rate(queue, count) {
    const bulk = 1000, flying = [], before = await queue.getCompletedCount(), start = performance.now();
    for (let i = 0; i < count; i += bulk) {
        const jobs = Array.from({ length: Math.min(bulk, count - i) }, () => ({ name: "noop", data: payload }));
        flying.push(queue.addBulk(jobs));
        if (flying.length >= 4) await flying.shift();
    }
    await Promise.all(flying);
    const submitted = performance.now();
    while (await queue.getCompletedCount() - before < count) await sleep(20);
    const done = performance.now();
    return { operations: count, completed: await queue.getCompletedCount() - before, submitted: count,
             submit_per_s: Math.round(count * 1000 / (submitted - start)),
             end_to_end_per_s: Math.round(count * 1000 / (done - start)) };
}

async function latency(queue, perSecond, seconds, warmUp) {
    const first = Math.floor(perSecond * warmUp), count = first + Math.floor(perSecond * seconds);
    const now = `${Date.now()}-0`;                // not "from the next on": that may come before it listens
    const events = new QueueEvents("bench", { connection, lastEventId: now }), due = new Map(), done = new Map();
    await events.waitUntilReady();
    events.on("completed", ({ jobId }) => done.set(jobId, performance.now()));
    const added = [], start = performance.now();
    while (added.length < count) {
        const at = start + added.length * 1000 / perSecond;
        if (performance.now() < at) { await sleep(1); continue; }
        added.push(queue.add("noop", payload).then((job) => due.set(job.id, at)));
    }
    await Promise.all(added);
    for (let i = 0; i < 1000 && done.size < count; i++) await sleep(10);
    const ms = [...due].filter(([id]) => done.has(id)).sort((a, b) => a[1] - b[1]).slice(first)
        .map(([id, at]) => done.get(id) - at).sort((a, b) => a - b);
    const rank = (percent) => Number(ms[Math.max(0, Math.ceil(ms.length * percent / 100) - 1)].toFixed(2));
    await events.close();
    return { operations: count - first, completed: ms.length, submitted: count,
             p50_ms: rank(50), p99_ms: rank(99), max_ms: rank(100) };
}

async function main() {
    if (what === "worker") return work();
    const queue = new Queue("bench", { connection });
    await queue.waitUntilReady();
    console.log(JSON.stringify(await (what === "rate" ? rate : latency)(queue, ...numbers)));
    await queue.close();
    process.exit(0);
}
main().catch((error) => { console.error(error); process.exit(1); });
