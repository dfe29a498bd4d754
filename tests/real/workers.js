// Workers that exchange buffers and build objects; the result depends only on the code.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

if (isMainThread) {
    const results = [];
    let left = 4;
    for (let id = 0; id < 4; id++) {
        const worker = new Worker(__filename, { workerData: id });
        worker.on('message', (m) => { results[id] = m.sum + Buffer.from(m.buffer).reduce((a, b) => a + b, 0); });
        worker.on('error', (e) => { console.error(e); process.exit(1); });
        worker.on('exit', (code) => {
            if (code !== 0) { process.exit(1); }
            if (--left === 0) { console.log(results.join(' ')); }
        });
    }
} else {
    let sum = 0;
    const live = new Map();
    for (let i = 0; i < 100000; i++) {
        live.set(i * 7919 % 5003, { id: i, text: 'x'.repeat(i % 60), list: [i, i + 1] });
        if (i % 100 === 0) { sum += JSON.stringify([...live.values()].slice(0, 20)).length; }
    }
    for (let i = 0; i < 200; i++) { sum += Buffer.alloc(100000 + i, i).length; }
    const buffer = new Uint8Array(1000000).fill(workerData + 1).buffer;
    parentPort.postMessage({ sum, buffer }, [buffer]);
}
