#!/usr/bin/env node
const lines = require("readline").createInterface({ input: process.stdin });

lines.on("line", (line) => {                    // an operation a line; the end of the input: node leaves
    const operation = JSON.parse(line);
    const answer = { Id: operation.Id, Outcome: "ok" };
    try {
        answer.Result = JSON.parse(operation.Payload).name.toUpperCase();     // the work
    } catch (error) {
        Object.assign(answer, { Outcome: "permanent", Error: `unusable: ${error.message}` });
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
});
