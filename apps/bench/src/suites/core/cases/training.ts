import { createWasmBackend } from "@weft/kernels-wasm";
import { compile, Device } from "@weft/tensor-core";
import type { BenchContext } from "../../../context.js";
import { type LlamaShape, randomLlama } from "../llama.js";
import { loraTraining } from "../lora-training.js";
import type { CoreCase } from "./case.js";

/** Seconds that planning 24 layers may take, and how many times longer 48. */
const GOALS = { seconds: 1, twice: 2.3 };
const RANK = 8;

export const trainingCase: CoreCase = {
  name: "training step",
  async run(context) {
    const [some, twice] = context.quick ? [2, 4] : [24, 48];
    const small = await planning(some, context);
    const large = await planning(twice, context);
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
