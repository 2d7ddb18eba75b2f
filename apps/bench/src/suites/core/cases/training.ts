import { createWasmBackend } from "@weft/kernels-wasm";
import { llamaParameters } from "@weft/models";
import { compile, Device, sizeOf } from "@weft/tensor-core";
import type { BenchContext } from "../../../context.js";
import { type LlamaShape, randomLlama } from "../llama.js";
import { loraTraining } from "../lora-training.js";
import type { CoreCase } from "./case.js";

/** Seconds that planning 24 layers may take, and how many times longer 48; peak memory in times of what a step needs. */
const GOALS = { seconds: 1, twice: 2.3, peak: 1.15 };
const RANK = 8;

export const trainingCase: CoreCase = {
  name: "training step",
  async run(context) {
    const [some, twice] = context.quick ? [2, 4] : [24, 48];
    const small = await planning(some, context);
    const large = await planning(twice, context);
    await peak(some, context);
    const ratio = large / small;
    context.emit({
      suite: "core",
      case: `LoRA training step, AdamW, ${twice} layers`,
      metric: "planning",
      value: large,
      unit: "s",
      anchor: `${some} layers`,
      ratio: small / large,
      goal: `time ≤ ${GOALS.twice} ×`,
      met: ratio <= GOALS.twice,
    });
  },
};

const shapeOf = (layers: number): LlamaShape => ({ layers, hidden: 64, heads: 4, keyValueHeads: 2, intermediate: 128, vocabulary: 256 });

/**
 * Bytes that a step cannot do without, all f32: weights W; factors and their two moments, 12 P; of each of T tokens in each layer (hidden h, keys k, feed-forward i,
 * H heads, r of each of seven factors) both sums of the residual stream, both normalised, queries, attention's result, keys and values, gate, up and their product, x·Aᵀ,
 * two scales of normalisation and what softmax divides by: 6 h + 2 k + 3 i + 7 r + 2 + H; and of the loss T·V logits, twice.
 */
function needed(
  { layers, hidden: h, heads, keyValueHeads, intermediate: i, vocabulary }: LlamaShape,
  tokens: number,
  weights: number,
  factors: number,
): number {
  const k = (h / heads) * keyValueHeads;
  const perToken = layers * (6 * h + 2 * k + 3 * i + 7 * RANK + 2 + heads) + 2 * vocabulary;
  return 4 * (weights + 3 * factors + tokens * perToken);
}

/** The peak of the plan of a step whose state is updated in place. */
async function peak(layers: number, context: BenchContext): Promise<void> {
  const tokens = context.quick ? 32 : 512;
  const shape = shapeOf(layers);
  const device = new Device(await createWasmBackend({ threads: 1, relaxed: true }));
  const model = randomLlama(device, shape);
  const { state, inputs, step } = loraTraining(device, model, { rank: RANK, tokens });
  const compiled = compile(step, { device, donate: [0] });
  const { executable } = await compiled.prepare(state, inputs);
  const elements = (sizes: readonly (readonly number[])[]): number => sizes.reduce((sum, size) => sum + sizeOf(size), 0);
  const weights = elements([...llamaParameters(model.config).values()]);
  const least = needed(shape, tokens, weights, elements(Object.values(state.params).map((t) => t.shape)));
  const { peakBytes } = executable.plan;
  context.emit({
    suite: "core",
    case: `LoRA training step, AdamW, ${layers} layers, ${tokens} tokens`,
    metric: "peak memory",
    value: peakBytes / 1e6,
    unit: "MB",
    anchor: "weights, optimiser state and what the backward pass needs",
    ratio: least / peakBytes,
    goal: `memory ≤ ${GOALS.peak} ×`,
    met: peakBytes <= GOALS.peak * least,
  });
  compiled.dispose();
  device.dispose();
}

/** Seconds from the first call to the lowered plan, the best of the rounds: tracing, gradients, passes, memory and the lowering of the backend. */
async function planning(layers: number, context: BenchContext): Promise<number> {
  const device = new Device(await createWasmBackend({ threads: 1, relaxed: true }));
  const { state, inputs, step } = loraTraining(device, randomLlama(device, shapeOf(layers)), { rank: RANK, tokens: 16 });
  const times: number[] = [];
  let steps = 0;
  for (let round = 0; round < context.rounds; round++) {
    const compiled = compile(step, { device });
    const start = performance.now();
    const { executable } = await compiled.prepare(state, inputs);
    times.push((performance.now() - start) / 1000);
    steps = executable.plan.steps.length;
    compiled.dispose();
  }
  device.dispose();
  const best = Math.min(...times);
  context.emit({
    suite: "core",
    case: `LoRA training step, AdamW, ${layers} layers, ${steps} kernels`,
    metric: "planning",
    value: best,
    unit: "s",
    anchor: null,
    ratio: null,
    spread: (Math.max(...times) - best) / best,
    rounds: times.length,
    ...(layers <= 24 && { goal: `≤ ${GOALS.seconds} s`, met: best <= GOALS.seconds }),
  });
  return best;
}
