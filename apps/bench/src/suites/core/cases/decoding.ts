import { createWasmBackend } from "@weft/kernels-wasm";
import type { KeyValues, LlamaForCausalLM } from "@weft/models";
import { argmax, type Backend, compile, Device, reshape, slice, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../../context.js";
import { type LlamaShape, randomLlama } from "../llama.js";
import type { CoreCase } from "./case.js";

const SHAPE: LlamaShape = { layers: 16, hidden: 512, heads: 8, keyValueHeads: 4, intermediate: 1408, vocabulary: 8192 };
/** Largest share of a step that is spent outside the backend's run. */
const GOAL = 0.05;
const PROMPT = 8;

/** What a backend was asked for. */
interface Counters {
  readonly backend: Backend;
  allocations: number;
  lowered: number;
  bytes: number;
  /** ms within `run`. */
  running: number;
}

function counted(inner: Backend): Counters {
  const counters: Counters = {
    allocations: 0,
    lowered: 0,
    bytes: 0,
    running: 0,
    backend: {
      name: inner.name,
      capabilities: inner.capabilities,
      allocate(size) {
        counters.allocations++;
        counters.bytes += size;
        return inner.allocate(size);
      },
      free(buffer) {
        counters.bytes -= buffer.bytes;
        inner.free(buffer);
      },
      upload: (buffer, data, offset) => inner.upload(buffer, data, offset),
      download: (buffer, offset, size) => inner.download(buffer, offset, size),
      view: (buffer) => inner.view!(buffer),
      claims: (call) => inner.claims(call),
      lower(plan) {
        counters.lowered++;
        return inner.lower(plan);
      },
      run(executable, inputs, outputs) {
        const start = performance.now();
        // The CPU backend runs at once.
        const pending = inner.run(executable, inputs, outputs);
        counters.running += performance.now() - start;
        return pending;
      },
      dispose: () => inner.dispose(),
    },
  };
  return counters;
}

export const decodingCase: CoreCase = {
  name: "decoding",
  async run(context) {
    const tokens = context.quick ? 16 : 512;
    const shape = context.quick ? { ...SHAPE, layers: 2, hidden: 64, intermediate: 128, vocabulary: 256 } : SHAPE;
    const counters = counted(await createWasmBackend({ threads: 1, relaxed: true }));
    const device = new Device(counters.backend);
    await decode(device, randomLlama(device, shape), counters, tokens, context);
    device.dispose();
  },
};

/** Greedy decoding, one token after another, and one pass over all of them to compare with. */
async function decode(device: Device, model: LlamaForCausalLM, counters: Counters, tokens: number, context: BenchContext): Promise<void> {
  const { layers, hiddenSize, vocabSize } = model.config;
  const name = `Llama, ${layers} layers of ${hiddenSize}, ${tokens} tokens`;
  const emit = (metric: string, value: number, unit: string, more: { goal?: string; met?: boolean; error?: number } = {}): void =>
    context.emit({ suite: "core", case: name, metric, value, unit, anchor: null, ratio: null, ...more });
  const pass = compile(
    (inputIds: Tensor, position: Tensor, cache: readonly KeyValues[]) => {
      const { logits, cache: next } = model.forward({ inputIds, position, cache });
      const last = slice(logits, [undefined, [inputIds.shape[1]! - 1, inputIds.shape[1]!]]);
      return { next: argmax(last), logits: reshape(last, [-1]), cache: next! };
    },
    { device, donate: [2] },
  );
  const at = (position: number): Tensor => device.tensor(Int32Array.of(position), { shape: [] });
  const capacity = PROMPT + tokens;
  const prompt = Int32Array.from({ length: PROMPT }, (_, i) => (i * 31 + 7) % vocabSize);
  const sequence = [...prompt];
  let step = await pass(device.tensor(prompt, { shape: [1, PROMPT] }), at(0), model.emptyCache({ capacity }));
  const logits: Float32Array[] = [];
  const sizes: number[] = [];
  const [lowered, plans] = [counters.lowered, { before: 0 }];
  let [start, running] = [0, 0];
  for (let i = 0; i < tokens; i++) {
    // The first step makes the plan.
    if (i === 1) [start, running, plans.before] = [performance.now(), counters.running, counters.lowered];
    const position = at(PROMPT + i);
    const before = step;
    step = await pass(before.next, position, before.cache);
    sequence.push((await before.next.data())[0]!);
    for (const t of [position, before.next, before.logits]) t.dispose();
    if (i % 37 === 0 || i === tokens - 1) logits.push((await step.logits.data()) as Float32Array);
    sizes.push(counters.bytes);
  }
  const [total, kernels] = [performance.now() - start, counters.running - running];
  const made = counters.lowered - lowered;
  emit("time per token", total / (tokens - 1), "ms");
  const outside = (total - kernels) / total;
  emit("share outside the kernels", outside, "", { goal: `≤ ${GOAL}`, met: outside <= GOAL });
  emit("plans", made, "", { goal: "1", met: made === 1 });
  const grown = sizes.at(-1)! - sizes[1]!;
  emit("growth of memory", grown, "B", { goal: "0", met: grown === 0 });
  const whole = compile((ids: Tensor) => model.forward({ inputIds: ids }).logits, { device });
  const expected = await (await whole(device.tensor(Int32Array.from(sequence), { shape: [1, sequence.length] }))).data();
  let [error, size] = [0, 1];
  logits.forEach((values, k) => {
    const row = PROMPT + Math.min(k * 37, tokens - 1);
    for (const [i, v] of values.entries()) {
      const want = expected[row * vocabSize + i]!;
      [error, size] = [Math.max(error, Math.abs(v - want)), Math.max(size, Math.abs(want))];
    }
  });
  emit("error against one pass over all tokens", error / size, "", { goal: "≤ 1e-4", met: error / size <= 1e-4 });
  whole.dispose();
  pass.dispose();
}
