/**
 * What a worker thread runs, as plain text so that bundlers need no second file: it sleeps on the job counter in shared
 * memory; a job names a kernel, an argument block and a number of items, of which threads take chunks by an atomic counter.
 * Modules that are compiled at run time lie in shared memory as bytes and are compiled here, too, when a job first needs them.
 *
 * Control block (i32): 0 job number, 1 next item, 2 items, 3 chunk, 4 argument block, 5 kernel (index, or -1: fused), 6 address of the
 * fused module, 7 its length, 8 its id, 9 threads that are done, 10 stop.
 */
export const WORKER_SOURCE = `
const start = ({ memory, matmul, general, scratch, control, names }) => {
  const imports = { env: { memory, scratch } };
  const all = { ...new WebAssembly.Instance(matmul, imports).exports, ...new WebAssembly.Instance(general, imports).exports };
  const kernels = names.map((name) => all[name]);
  const fused = new Map();
  const c = new Int32Array(memory.buffer, control, 16);
  let seen = 0;
  for (;;) {
    Atomics.wait(c, 0, seen);
    const job = Atomics.load(c, 0);
    if (job === seen) continue;
    seen = job;
    if (Atomics.load(c, 10)) return;
    let run = c[5] >= 0 ? kernels[c[5]] : fused.get(c[8]);
    if (!run) {
      const bytes = new Uint8Array(memory.buffer, c[6], c[7]).slice();
      run = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports.run;
      fused.set(c[8], run);
    }
    const items = c[2], chunk = c[3], args = c[4];
    for (;;) {
      const from = Atomics.add(c, 1, chunk);
      if (from >= items) break;
      run(args, from, Math.min(items, from + chunk));
    }
    Atomics.add(c, 9, 1);
    Atomics.notify(c, 9);
  }
};
if (typeof self !== "undefined" && typeof importScripts === "function") self.onmessage = (e) => start(e.data);
else start(require("node:worker_threads").workerData);
`;
