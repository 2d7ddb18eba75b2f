/**
 * Words of the control block in the first memory (i32). `ticket` is job number · 2^16 + chunks not yet taken. A thread takes a chunk by
 * lowering it with compare-and-swap; while a chunk is out the job cannot end, so the other words stay valid. A thread that
 * wakes late, or never, finds no chunk and holds nobody up. `place` is the number of the memory that the kernel works in, `decoder` that of
 * the compiled code with which it reads a packed matrix, 0 if it reads none.
 */
export const CONTROL: {
  readonly [
    name in
      | "ticket"
      | "done"
      | "chunks"
      | "kernel"
      | "decoder"
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
  decoder: 12,
};
export const CONTROL_WORDS: number = 16;

const { ticket, done, chunks, kernel, decoder, args, items, grain, code, codeBytes, failed, stop, place } = CONTROL;

/**
 * What a worker thread runs, as plain text so that bundlers need no second file. Kernels behind the named ones were compiled at run
 * time: the job says where their bytes lie, and each thread compiles them when it first meets them. The first message brings the modules and
 * the first memory, each further one a further memory. A thread never waits for messages while it has all memories; when it meets a job in a
 * memory that it does not know, it goes to fetch the message, which was sent before, and leaves the job to the others meanwhile.
 */
export const WORKER_SOURCE: string = `
let c, modules, names;
const places = [];
const codes = [];
const enter = ({ memory, scratch }) => {
  const env = { memory, scratch, decode() {} };
  const all = Object.assign({}, ...modules.map((m) => new WebAssembly.Instance(m, { env }).exports));
  places.push({ env, kernels: names.map((name) => all[name]), decoding: [] });
};
const compile = () => {
  const { memory } = places[0].env;
  memory.grow(0); // makes the buffer object cover what other threads have grown
  return new WebAssembly.Module(new Uint8Array(memory.buffer, c[${code}] >>> 0, c[${codeBytes}]).slice());
};
const compiled = ({ env, kernels }, id) => (kernels[id] ??= new WebAssembly.Instance((codes[id] ??= compile()), { env }).exports.run);
const kernelOf = (place, id, by) => {
  if (!by) return compiled(place, id);
  const all = (place.decoding[by] ??= new WebAssembly.Instance(modules[0], { env: { ...place.env, decode: compiled(place, by) } }).exports);
  return all[names[id]];
};
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
      kernelOf(place, c[${kernel}], c[${decoder}])(c[${args}], first, Math.min(first + c[${grain}], c[${items}]));
    } catch { Atomics.store(c, ${failed}, 1); }
    if (Atomics.add(c, ${done}, 1) + 1 === c[${chunks}]) Atomics.notify(c, ${done});
  }
};
const receive = (data, ready) => {
  if (!modules) {
    modules = [data.matmul, data.general];
    names = data.names;
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
