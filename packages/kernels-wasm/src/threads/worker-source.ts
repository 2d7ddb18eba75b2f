/**
 * Words of the control block in shared memory (i32). `ticket` is job number · 2^16 + chunks not yet taken. A thread takes a chunk by
 * lowering it with compare-and-swap; while a chunk is out the job cannot end, so the other words stay valid. A thread that
 * wakes late, or never, finds no chunk and holds nobody up.
 */
export const CONTROL: {
  readonly [
    name in "ticket" | "done" | "chunks" | "kernel" | "args" | "items" | "grain" | "code" | "codeBytes" | "failed" | "stop"
  ]: number;
} = { ticket: 0, done: 1, chunks: 2, kernel: 3, args: 4, items: 5, grain: 6, code: 7, codeBytes: 8, failed: 9, stop: 10 };
export const CONTROL_WORDS: number = 16;

const { ticket, done, chunks, kernel, args, items, grain, code, codeBytes, failed, stop } = CONTROL;

/**
 * What a worker thread runs, as plain text so that bundlers need no second file. Kernels behind the named ones were compiled at run
 * time: the job says where their bytes lie, and each thread compiles them when it first meets them.
 */
export const WORKER_SOURCE: string = `
const start = ({ memory, matmul, general, scratch, control, names }, ready) => {
  const env = { memory, scratch };
  const all = { ...new WebAssembly.Instance(matmul, { env }).exports, ...new WebAssembly.Instance(general, { env }).exports };
  const kernels = names.map((name) => all[name]);
  const c = new Int32Array(memory.buffer, control, ${CONTROL_WORDS});
  const compile = () => {
    memory.grow(0); // makes the buffer object cover what other threads have grown
    const bytes = new Uint8Array(memory.buffer, c[${code}] >>> 0, c[${codeBytes}]).slice();
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports.run;
  };
  ready();
  for (;;) {
    const t = Atomics.load(c, ${ticket});
    if (Atomics.load(c, ${stop})) return;
    if ((t & 0xffff) === 0) { Atomics.wait(c, ${ticket}, t); continue; }
    if (Atomics.compareExchange(c, ${ticket}, t, t - 1) !== t) continue;
    const first = (c[${chunks}] - (t & 0xffff)) * c[${grain}];
    try {
      (kernels[c[${kernel}]] ??= compile())(c[${args}], first, Math.min(first + c[${grain}], c[${items}]));
    } catch { Atomics.store(c, ${failed}, 1); }
    if (Atomics.add(c, ${done}, 1) + 1 === c[${chunks}]) Atomics.notify(c, ${done});
  }
};
if (typeof require === "function") start(require("node:worker_threads").workerData, () => {});
else self.onmessage = (e) => start(e.data, () => self.postMessage("ready"));
`;
