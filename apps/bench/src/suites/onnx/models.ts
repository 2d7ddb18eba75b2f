import { compile, type Device, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import type { Contestant } from "../../turns.js";
import { configOf, type LlamaShape, randomLlama } from "../core/llama.js";
import { loraTraining } from "../core/lora-training.js";
import { compare, type Work } from "./compare.js";

/** Of SmolLM2-135M. */
const SMOL: LlamaShape = { layers: 30, hidden: 576, heads: 9, keyValueHeads: 3, intermediate: 1536, vocabulary: 49152 };
/** Two of its layers and a sixth of its vocabulary, which take seconds and whose ratios are nearly those of all. */
const SHORT: LlamaShape = { ...SMOL, layers: 2, vocabulary: 8192 };
/** Of the LoRA that is trained. */
const RANK = 8;
/** How many times as fast as torch a step and a prompt are to be, on AMD's processors and on those that MKL is made for. */
const TORCH_GOALS = { amd: 1.67, intel: 0.95 } as const;
/** Of the issue: of machines with 512-bit vectors, whose WebAssembly has a quarter of them. */
const GOALS = { training: 3.2, prefill: 3.2, token: 1 };

export async function measureModels(threads: number, context: BenchContext): Promise<void> {
  const shape = context.quick ? SHORT : SMOL;
  const size = `${shape.layers} layers of ${shape.hidden}`;
  const tokens = 128;
  const common = { threads, tolerance: 1e-4 };
  const fast = TORCH_GOALS[/AMD/.test(context.cpu) ? "amd" : "intel"];
  await compare(
    {
      ...common,
      name: `LoRA training step, r ${RANK}, ${tokens} tokens, ${size}`,
      prepare: (device) => training(device, shape, tokens, context),
      goal: GOALS.training,
      torch: await torchLlama("step", shape, tokens, threads, context),
      torchGoal: fast,
    },
    context,
  );
  for (const [count, goal, torchGoal] of [
    [tokens, GOALS.prefill, fast],
    [1, GOALS.token, 1],
  ] as const)
    await compare(
      {
        ...common,
        name: `forward of ${count === 1 ? "one token" : `${count} tokens`}, ${size}`,
        prepare: (device) => forward(device, shape, count),
        goal,
        torch: await torchLlama("forward", shape, count, threads, context),
        torchGoal,
      },
      context,
    );
}

/** The same in transformers, with PEFT's LoRA. */
async function torchLlama(
  work: "step" | "forward",
  shape: LlamaShape,
  tokens: number,
  threads: number,
  context: BenchContext,
): Promise<Contestant | undefined> {
  const python = await context.python();
  if (python?.versions["transformers"] === undefined || python.versions["peft"] === undefined) {
    context.note("onnx: no Python with transformers and peft: their column is missing");
    return undefined;
  }
  await python.call({ cmd: "llama", config: configOf(shape), ...(work === "step" && { rank: RANK }) });
  return {
    name: "torch",
    turn: async (seconds) =>
      (await python.call({ cmd: "time", op: `llama ${work}`, args: [tokens], threads, seconds }))["seconds"] as number,
  };
}

async function training(device: Device, shape: LlamaShape, tokens: number, context: BenchContext): Promise<Work> {
  const { state, inputs, step } = loraTraining(device, randomLlama(device, shape), { rank: RANK, tokens });
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
