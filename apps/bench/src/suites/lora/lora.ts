import { availableParallelism, tmpdir } from "node:os";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTask } from "node:timers/promises";
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import { compile, Device, loraLinear, type Tensor } from "@weft/tensor-core";
import type { BenchContext, Suite } from "../../context.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";
import { loraByHand } from "./by-hand.js";
import { measureMixedBatch } from "./mixed-batch.js";
import { type LoraCase, loraError, makeLoraCase } from "./case.js";
import { torchLora } from "./torch.js";

const TOLERANCE = 1e-4;
/** Largest overhead of the compiled graph over the kernels, of one. */
const GOAL = 0.05;

export const loraSuite: Suite = {
  name: "lora",
  summary: "forward of a LoRA layer: compiled, eager, the same kernels called by hand, torch; eight adapters in one batch against one",
  async run(context) {
    enableRelaxedSimd();
    const cases = context.quick
      ? [makeLoraCase(8, 64, 96, 4)]
      : [
          makeLoraCase(1, 2048, 2048, 16),
          makeLoraCase(16, 2048, 2048, 16),
          makeLoraCase(128, 2048, 2048, 16),
          makeLoraCase(512, 2048, 2048, 16),
        ];
    const threads = availableParallelism() > 1 ? [1, 2] : [1];
    for (const lora of cases) for (const count of threads) await measure(lora, count, context);
    for (const count of threads) await mixed(count, context);
  },
};

async function mixed(threads: number, context: BenchContext): Promise<void> {
  const device = new Device(await createWasmBackend({ threads, relaxed: true }));
  const where = `weft ${threads} ${threads === 1 ? "thread" : "threads"}`;
  const width = context.quick ? 64 : 2048;
  for (const tokens of [1, 16]) await measureMixedBatch(device, { suite: "lora", where, width, tokens, judged: true }, context);
  device.dispose();
}

async function measure(lora: LoraCase, threads: number, context: BenchContext): Promise<void> {
  const { m, inputs, out, r, scale } = lora;
  const device = new Device(await createWasmBackend({ threads, relaxed: true }));
  const hand = loraByHand(lora, threads);
  const python = await context.python();
  const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
  try {
    const [x, w, a, b] = [
      device.tensor(lora.x, { shape: [m, inputs] }),
      device.tensor(lora.w, { shape: [out, inputs] }),
      device.tensor(lora.a, { shape: [r, inputs] }),
      device.tensor(lora.b, { shape: [out, r] }),
    ];
    const layer = compile((t: Tensor) => loraLinear(t, w, a, b, scale), { device });
    hand.run();
    check("kernels by hand", lora, hand.result());
    check("compiled", lora, await (await layer(x)).data());
    // Results are freed when they are collected, which needs a pause between tasks now and then.
    let calls = 0;
    const paused = async (run: () => Promise<unknown>): Promise<void> => {
      await run();
      if (++calls % 16 === 0) await nextTask();
    };
    const contestants: Contestant[] = [
      { name: "kernels by hand", turn: (seconds) => timeCalls(hand.run, seconds) },
      { name: "compiled", turn: (seconds) => timeCalls(() => paused(() => layer(x)), seconds) },
      { name: "eager", turn: (seconds) => timeCalls(() => paused(() => device.evaluate([loraLinear(x, w, a, b, scale)])), seconds) },
    ];
    if (python) contestants.push(await torchLora(lora, threads, python, folder));
    const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
    report(lora, threads, times, context);
    layer.dispose();
  } finally {
    rmSync(folder, { recursive: true });
    hand.dispose();
    device.dispose();
  }
}

function check(name: string, lora: LoraCase, y: ArrayLike<number>): void {
  const error = loraError(lora, y);
  if (!(error <= TOLERANCE)) throw new Error(`${name}, ${lora.name}: off by ${error} from the f64 reference`);
}

function report(lora: LoraCase, threads: number, times: Awaited<ReturnType<typeof takeTurns>>, context: BenchContext): void {
  const name = (who: string): string => `${lora.name}, ${who} ${threads} ${threads === 1 ? "thread" : "threads"}`;
  const anchor = times.get("kernels by hand")!;
  for (const [who, { best, spread, rounds }] of times) {
    const common = { suite: "lora", case: name(who), metric: "time", value: best * 1e6, unit: "µs", spread, rounds };
    if (who === "torch" || who === "kernels by hand") {
      context.emit({ ...common, anchor: null, ratio: null });
      continue;
    }
    const goal = who === "compiled" ? { goal: `overhead ≤ ${100 * GOAL} %`, met: best / anchor.best - 1 <= GOAL } : {};
    context.emit({ ...common, anchor: "kernels by hand", ratio: anchor.best / best, ...goal });
    if (times.has("torch")) context.emit({ ...common, anchor: "torch", ratio: times.get("torch")!.best / best });
  }
}
