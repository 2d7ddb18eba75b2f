/**
 * Words of the control block in the first memory (i32). `ticket` is job number · 2^16 + chunks not yet taken. A thread takes a chunk by
 * lowering it with compare-and-swap; while a chunk is out the job cannot end, so the other words stay valid. A thread that
 * wakes late, or never, finds no chunk and holds nobody up. `place` is the number of the memory that the kernel works in, `code` where the bytes of its
 * module lie, 0 for products; `decodes` if it is a product that reads a packed matrix by that module.
 */
export const CONTROL: {
  readonly [
    name in
      | "ticket"
      | "done"
      | "chunks"
      | "kernel"
      | "decodes"
      | "args"
      | "items"
      | "grain"
      | "code"
      | "codeBytes"
      | "failed"
      | "stop"
      | "place"
  ]: number;
} = {
  ticket: 0,
  done: 1,
  chunks: 2,
  kernel: 3,
  args: 4,
  items: 5,
  grain: 6,
  code: 7,
  codeBytes: 8,
  failed: 9,
  stop: 10,
  place: 11,
  decodes: 12,
};
export const CONTROL_WORDS: number = 16;

const { ticket, done, chunks, kernel, decodes, args, items, grain, code, codeBytes, failed, stop, place } = CONTROL;

/**
 * What a worker thread runs, as plain text so that bundlers need no second file. A job names its kernel by its number among the exports of its
 * module and says where that module's bytes lie; each thread compiles them when it first meets them. The first message brings the products and
 * the first memory, each further one a further memory. A thread never waits for messages while it has all memories; when it meets a job in a
 * memory that it does not know, it goes to fetch the message, which was sent before, and leaves the job to the others meanwhile.
 */
export const WORKER_SOURCE: string = `
let c;
const places = [];
const modules = {};
const enter = ({ memory, scratch }) => places.push({ env: { memory, scratch, decode() {} }, kernels: {}, decoding: {} });
const compile = (at) => {
  const { memory } = places[0].env;
  memory.grow(0); // makes the buffer object cover what other threads have grown
  return new WebAssembly.Module(new Uint8Array(memory.buffer, at, c[${codeBytes}]).slice());
};
const instance = (at, env) => Object.values(new WebAssembly.Instance((modules[at] ??= compile(at)), { env }).exports);
const kernelsAt = ({ env, kernels }, at) => (kernels[at] ??= instance(at, env));
const decoding = (place, at) => (place.decoding[at] ??= instance(0, { ...place.env, decode: kernelsAt(place, at)[0] }));
const work = () => {
  for (;;) {
    const t = Atomics.load(c, ${ticket});
    if (Atomics.load(c, ${stop})) return;
    if ((t & 0xffff) === 0) { Atomics.wait(c, ${ticket}, t); continue; }
    const place = places[c[${place}]];
    if (!place) return;
    if (Atomics.compareExchange(c, ${ticket}, t, t - 1) !== t) continue;
    const first = (c[${chunks}] - (t & 0xffff)) * c[${grain}];
    try {
      const kernels = (c[${decodes}] ? decoding : kernelsAt)(place, c[${code}] >>> 0);
      kernels[c[${kernel}]](c[${args}], first, Math.min(first + c[${grain}], c[${items}]));
    } catch { Atomics.store(c, ${failed}, 1); }
    if (Atomics.add(c, ${done}, 1) + 1 === c[${chunks}]) Atomics.notify(c, ${done});
  }
};
const receive = (data, ready) => {
  if (!c) {
    modules[0] = data.products;
    c = new Int32Array(data.memory.buffer, data.control, ${CONTROL_WORDS});
  }
  enter(data);
  ready?.();
  work();
};
if (typeof require === "function") {
  const { parentPort, workerData } = require("node:worker_threads");
  parentPort.on("message", (data) => receive(data));
  receive(workerData);
} else self.onmessage = (e) => receive(e.data, () => self.postMessage("ready"));
`;
