// BullMQ under the fault runs (tests/fault/peer), as its own pages say to use it: defaults, and three attempts.
//   node bullmq.js PORT worker BOOK         8 jobs at a time; a line "start SERIAL" and "end SERIAL" for each; prints "ready"
//   node bullmq.js PORT load RATE BOOK      adds jobs until SIGTERM; a line "added SERIAL JOBID" when Redis acknowledged one
//   node bullmq.js PORT counts              how many jobs are in each state, as JSON
//   node bullmq.js PORT records             {serial, state, attempts, stalled} of every job, one JSON a line
"use strict";
const fs = require("fs");
const { Queue, Worker } = require("bullmq");

const [port, what, ...rest] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(port), maxRetriesPerRequest: null };
const STATES = ["waiting", "active", "delayed", "completed", "failed", "paused", "prioritized", "waiting-children"];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function work(book) {
    const lines = fs.openSync(book, "a");
    const write = (word, job) => fs.writeSync(lines, `${word} ${job.data.serial}\n`);      // one write, whole
    const worker = new Worker("fault", async (job) => {
        write("start", job);
        await sleep(job.data.ms);
        write("end", job);
    }, { connection, concurrency: 8 });
    worker.on("error", () => {});
    await worker.waitUntilReady();
    console.log("ready");
}

async function load(perSecond, book) {
    const queue = new Queue("fault", { connection }), lines = fs.openSync(book, "a"), start = performance.now();
    let serial = 0, open = 0, ended = false;
    queue.on("error", () => {});
    process.on("SIGTERM", () => { ended = true; });
    while (!ended) {
        if (performance.now() < start + serial * 1000 / perSecond) { await sleep(2); continue; }
        const data = { serial, ms: serial % 50 === 7 ? 1500 : 1 + serial % 30 };
        open += 1;
        queue.add("job", data, { attempts: 3, backoff: { type: "fixed", delay: 200 } })
            .then((job) => fs.writeSync(lines, `added ${data.serial} ${job.id}\n`), () => {})
            .finally(() => { open -= 1; });
        serial += 1;
    }
    for (let i = 0; i < 600 && open > 0; i++) await sleep(50);
    process.exit(0);
}

async function records(queue) {
    for (const state of STATES) {
        for (const job of await queue.getJobs([state]))
            console.log(JSON.stringify({ serial: job.data.serial, state, attempts: job.attemptsStarted, stalled: job.stalledCounter }));
    }
}

async function main() {
    if (what === "worker") return work(...rest);
    if (what === "load") return load(Number(rest[0]), rest[1]);
    const queue = new Queue("fault", { connection });
    if (what === "counts") console.log(JSON.stringify(await queue.getJobCounts(...STATES)));
    else await records(queue);
    process.exit(0);
}
main().catch((error) => { console.error(error); process.exit(1); });
