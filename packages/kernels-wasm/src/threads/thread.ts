// What a worker thread runs, in Node and in pages: as the module `@weft/kernels-wasm/thread`, and as text (`scripts/build-wasm.mjs` bundles this file) for whoever starts none of
// their own. A job names its kernel by its number among the exports of its module and says where that module's bytes lie; each thread compiles them when it first meets them. The
// first message brings the products and the first memory, each further one a further memory. A thread never waits for messages while it has all memories; when it meets a job in a
// memory that it does not know, it goes to fetch the message, which was sent before, and leaves the job to the others meanwhile.
import { CONTROL, CONTROL_WORDS } from "./control.js";
import type { ThreadMessage } from "./spawn.js";

type Kernel = (args: number, start: number, end: number) => void;

/** What a thread has of one memory: instances of modules by where their bytes lie. */
interface Place {
  readonly env: { readonly memory: WebAssembly.Memory; readonly scratch: number; readonly decode: unknown };
  readonly kernels: { [at: number]: readonly Kernel[] };
  readonly decoding: { [at: number]: readonly Kernel[] };
}

/** The control block; undefined before the first message. */
let control: Int32Array | undefined;
const places: Place[] = [];
const modules: { [at: number]: WebAssembly.Module } = {};

function compiled(at: number, bytes: number): WebAssembly.Module {
  const { memory } = places[0]!.env;
  memory.grow(0); // makes the buffer object cover what other threads have grown
  return new WebAssembly.Module(new Uint8Array(memory.buffer, at, bytes).slice());
}

const instance = (at: number, bytes: number, env: object): readonly Kernel[] =>
  Object.values(
    new WebAssembly.Instance((modules[at] ??= compiled(at, bytes)), { env } as WebAssembly.Imports).exports,
  ) as unknown as Kernel[];

const kernelsAt = ({ env, kernels }: Place, at: number, bytes: number): readonly Kernel[] => (kernels[at] ??= instance(at, bytes, env));

const decodingAt = (place: Place, at: number, bytes: number): readonly Kernel[] =>
  (place.decoding[at] ??= instance(0, 0, { ...place.env, decode: kernelsAt(place, at, bytes)[0] }));

function work(c: Int32Array): void {
  for (;;) {
    const ticket = Atomics.load(c, CONTROL.ticket);
    if (Atomics.load(c, CONTROL.stop)) return;
    if ((ticket & 0xffff) === 0) {
      Atomics.wait(c, CONTROL.ticket, ticket);
      continue;
    }
    const place = places[c[CONTROL.place]!];
    if (!place) return;
    if (Atomics.compareExchange(c, CONTROL.ticket, ticket, ticket - 1) !== ticket) continue;
    const [chunks, grain] = [c[CONTROL.chunks]!, c[CONTROL.grain]!];
    const first = (chunks - (ticket & 0xffff)) * grain;
    try {
      const kernels = (c[CONTROL.decodes] ? decodingAt : kernelsAt)(place, c[CONTROL.code]! >>> 0, c[CONTROL.codeBytes]!);
      kernels[c[CONTROL.kernel]!]!(c[CONTROL.args]!, first, Math.min(first + grain, c[CONTROL.items]!));
    } catch {
      Atomics.store(c, CONTROL.failed, 1);
    }
    if (Atomics.add(c, CONTROL.done, 1) + 1 === chunks) Atomics.notify(c, CONTROL.done);
  }
}

function receive({ memory, scratch, first }: ThreadMessage, ready: () => void): void {
  if (first) {
    modules[0] = first.products;
    control = new Int32Array(memory.buffer, first.control, CONTROL_WORDS);
  }
  places.push({ env: { memory, scratch, decode: () => undefined }, kernels: {}, decoding: {} });
  if (first) ready();
  work(control!);
}

/** Node's side of a thread, without an import that browsers and bundlers would have to resolve. */
interface NodeThread {
  readonly workerData: ThreadMessage;
  readonly parentPort: { on(event: "message", listener: (data: ThreadMessage) => void): void };
}
const { process } = globalThis as unknown as { readonly process?: { getBuiltinModule?(name: string): unknown } };
const node = process?.getBuiltinModule?.("node:worker_threads") as NodeThread | undefined;
if (node) {
  node.parentPort.on("message", (data) => receive(data, () => undefined));
  receive(node.workerData, () => undefined);
} else {
  const scope = self as unknown as {
    addEventListener(type: "message", listener: (event: MessageEvent<ThreadMessage>) => void): void;
    postMessage(message: string): void;
  };
  scope.addEventListener("message", ({ data }) => receive(data, () => scope.postMessage("ready")));
}
