import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { compile, type Device, loraLinear, type Tensor } from "@weft/tensor-core";
import type { BenchContext, Suite } from "../../context.js";
import { type LoraCase, makeLoraCase } from "../lora/case.js";
import { torchLora } from "../lora/torch.js";
import { type Engine, measureTraining } from "../train/train.js";
import { compare, type Work } from "./compare.js";
import { measureLarge } from "./large.js";
import { measureModels } from "./models.js";
import { measureOperators } from "./operators.js";
import { measureOverhead } from "./overhead.js";
import { measurePacked } from "./packed.js";

/** A step of a real model, for its memory: what is measured in this process has the memory of all contestants. */
const REAL_STEP: Engine = { name: "onnx, f32", engine: "onnx", base: "f32", memory: 1.05 };

export const onnxSuite: Suite = {
  name: "onnx",
  judgesQuick: true,
  summary:
    "kernels-onnx against kernels-wasm: a LoRA layer (torch, too), training step, forward of a prompt and of one token; packed weights against f32; composites against their decompositions; planning; what a call costs; memory of a real model's step; `--case TEXT` runs the parts with that in their name, and `large` products with more than 2 GB",
  async run(context) {
    // Before the first WebAssembly of the process.
    enableRelaxedSimd();
    const counts = availableParallelism() > 1 ? [1, 2] : [1];
    const parts = { operators: measureOperators, packed: measurePacked, layer: measureLayer, models: measureModels };
    if ("overhead".includes(context.only)) await measureOverhead(context);
    if ("memory".includes(context.only)) await measureTraining([REAL_STEP], "onnx", context);
    if (context.only === "large") await measureLarge(counts.at(-1)!, context);
    for (const threads of counts)
      for (const [name, measure] of Object.entries(parts)) if (name.includes(context.only)) await measure(threads, context);
  },
};

async function measureLayer(threads: number, context: BenchContext): Promise<void> {
  const lora = context.quick ? makeLoraCase(128, 576, 576, 8) : makeLoraCase(128, 2048, 2048, 16);
  const python = await context.python();
  if (!python) context.note("onnx: no Python with torch: its column is missing");
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  try {
    const torch = python && (await torchLora(lora, threads, python, folder));
    await compare(
      { name: `LoRA layer, ${lora.name}`, threads, prepare: (device) => layer(device, lora), tolerance: 1e-4, goal: 2, torch },
      context,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function layer(device: Device, lora: LoraCase): Promise<Work> {
  const { m, inputs, out, r, scale } = lora;
  const [x, w, a, b] = [
    device.tensor(lora.x, { shape: [m, inputs] }),
    device.tensor(lora.w, { shape: [out, inputs] }),
    device.tensor(lora.a, { shape: [r, inputs] }),
    device.tensor(lora.b, { shape: [out, r] }),
  ];
  const bound = await compile((t: Tensor) => loraLinear(t, w, a, b, scale), { device }).prepare(x);
  const result = async (): Promise<number> => {
    const y = await bound(x);
    const size = Math.hypot(...(await y.data()).subarray(0, 1000));
    y.dispose();
    return size;
  };
  return { call: async () => (await bound(x)).dispose(), result };
}
