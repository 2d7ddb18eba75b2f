import { compile, type Device, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import { type LlamaShape, randomLlama } from "../core/llama.js";
import { loraTraining } from "../core/lora-training.js";
import { compare, type Work } from "./compare.js";

/** Of SmolLM2-135M. */
const SMOL: LlamaShape = { layers: 30, hidden: 576, heads: 9, keyValueHeads: 3, intermediate: 1536, vocabulary: 49152 };
const TINY: LlamaShape = { layers: 2, hidden: 64, heads: 4, keyValueHeads: 2, intermediate: 128, vocabulary: 256 };
/** Of the issue: of machines with 512-bit vectors, whose WebAssembly has a quarter of them. */
const GOALS = { training: 3.2, prefill: 3.2, token: 1 };

export async function measureModels(threads: number, context: BenchContext): Promise<void> {
  const shape = context.quick ? TINY : SMOL;
  const size = `${shape.layers} layers of ${shape.hidden}`;
  const tokens = context.quick ? 16 : 128;
  const common = { threads, tolerance: 1e-4 };
  const steps = {
    name: `LoRA training step, r 8, ${tokens} tokens, ${size}`,
    prepare: (device: Device) => training(device, shape, tokens, context),
  };
  await compare({ ...common, ...steps, goal: GOALS.training }, context);
  await compare(
    { ...common, name: `forward of ${tokens} tokens, ${size}`, prepare: (d) => forward(d, shape, tokens), goal: GOALS.prefill },
    context,
  );
  await compare({ ...common, name: `forward of one token, ${size}`, prepare: (d) => forward(d, shape, 1), goal: GOALS.token }, context);
}

async function training(device: Device, shape: LlamaShape, tokens: number, context: BenchContext): Promise<Work> {
  const { state, inputs, step } = loraTraining(device, randomLlama(device, shape), { rank: 8, tokens });
  const start = performance.now();
  const bound = await compile(step, { device, donate: [0] }).prepare(state, inputs);
  const seconds = (performance.now() - start) / 1000;
  const kernels = bound.executable.plan.steps.length;
  context.emit({
    suite: "onnx",
    case: `LoRA training step, ${shape.layers} layers, ${kernels} steps, ${device.name}`,
    metric: "planning",
    value: seconds,
    unit: "s",
    anchor: null,
    ratio: null,
    ...(device.name === "onnx" && { goal: "≤ 2 s", met: seconds <= 2 }),
  });
  let now = state;
  const once = async (): Promise<number> => {
    const { loss, state: next } = await bound(now, inputs);
    now = next as typeof state;
    const [value] = await loss.data();
    loss.dispose();
    return value!;
  };
  // The third loss has gone through two updates of the adapter.
  return { call: once, result: async () => (await once(), await once(), once()) };
}

async function forward(device: Device, shape: LlamaShape, tokens: number): Promise<Work> {
  const model = randomLlama(device, shape);
  const ids = device.tensor(
    Int32Array.from({ length: tokens }, (_, i) => (i * 31 + 7) % shape.vocabulary),
    { shape: [1, tokens] },
  );
  const bound = await compile((t: Tensor) => model.forward({ inputIds: t }).logits, { device }).prepare(ids);
  const result = async (): Promise<number> => {
    const logits = await bound(ids);
    const size = Math.hypot(...(await logits.data()).subarray(0, 1000));
    logits.dispose();
    return size;
  };
  return { call: async () => (await bound(ids)).dispose(), result };
}
