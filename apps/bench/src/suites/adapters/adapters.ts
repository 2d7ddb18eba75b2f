import { setImmediate as nextTask } from "node:timers/promises";
import { createWasmBackend } from "@weft/kernels-wasm";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import type { AdapterParameters } from "@weft/registry";
import { compile, Device, type Tensor } from "@weft/tensor-core";
import type { BenchContext, Suite } from "../../context.js";
import { takeTurns, timeCalls } from "../../turns.js";
import { numbers } from "../matmul/product.js";
import { layerWithLoras } from "./one-layer.js";

/** Eight adapters whose ranks are 16 on the mean. */
const RANKS = [4, 8, 8, 16, 16, 16, 28, 32];
const MIXED_GOAL = 1.3;
const SWAP_GOAL_MS = 1;

export const adaptersSuite: Suite = {
  name: "adapters",
  summary: "eight adapters of mixed ranks in one batch against one adapter, and the time to exchange an adapter in a compiled forward",
  async run(context) {
    enableRelaxedSimd();
    const size = context.quick ? 128 : 2048;
    for (const tokens of context.quick ? [1] : [1, 16]) await mixedBatch(size, tokens, context);
    await swap(size, context);
  },
};

/** Lets results be collected, which needs a pause between tasks now and then. */
function paused(run: () => Promise<unknown>): () => Promise<void> {
  let calls = 0;
  return async () => {
    await run();
    if (++calls % 16 === 0) await nextTask();
  };
}

async function mixedBatch(size: number, tokens: number, context: BenchContext): Promise<void> {
  const device = new Device(await createWasmBackend({ threads: 1, relaxed: true }));
  try {
    const peft = await layerWithLoras(device, size, RANKS);
    const one = await layerWithLoras(device, size, [16]);
    const x = device.tensor(numbers(RANKS.length * tokens * size, 7), { shape: [RANKS.length, tokens, size] });
    const names = RANKS.map((_, i) => `a${i}`);
    await peft.prepareBatch(names);
    const forwards = {
      "base alone": compile((t: Tensor) => one.baseModel.forward(t), { device }),
      "one adapter, r 16": compile((t: Tensor) => one.forward(t), { device }),
      "eight adapters": compile((t: Tensor) => peft.forward(t, { adapterNames: names }), { device }),
    };
    await check(peft, x, (await (await forwards["eight adapters"](x)).data()) as Float32Array, size * tokens);
    const contestants = Object.entries(forwards).map(([name, run]) => ({
      name,
      turn: (seconds: number) =>
        timeCalls(
          paused(() => run(x)),
          seconds,
        ),
    }));
    const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
    const anchor = times.get("one adapter, r 16")!.best;
    for (const [name, { best, spread, rounds }] of times) {
      const goal = name === "eight adapters" ? { goal: `≤ ${MIXED_GOAL}× of one adapter`, met: best <= MIXED_GOAL * anchor } : {};
      const label = `8 rows × ${tokens} × ${size} → ${size}, ${name}`;
      const compared = name === "eight adapters" ? { anchor: "one adapter, r 16", ratio: best / anchor } : { anchor: null, ratio: null };
      context.emit({ suite: "adapters", case: label, metric: "time", value: best * 1e6, unit: "µs", spread, rounds, ...compared, ...goal });
    }
    Object.values(forwards).forEach((run) => run.dispose());
  } finally {
    device.dispose();
  }
}

/** Every row of the mixed batch is what its own adapter gives. */
async function check(peft: Awaited<ReturnType<typeof layerWithLoras>>, x: Tensor, mixed: Float32Array, row: number): Promise<void> {
  for (const [i] of RANKS.entries()) {
    peft.setAdapter(`a${i}`);
    const own = await peft.forward(x).data();
    for (let j = i * row; j < (i + 1) * row; j += 97)
      if (!(Math.abs(mixed[j]! - own[j]!) <= 1e-3)) throw new Error(`row ${i}: ${mixed[j]} in the mixed batch, ${own[j]} alone`);
  }
}

async function swap(size: number, context: BenchContext): Promise<void> {
  const device = new Device(await createWasmBackend({ threads: 1, relaxed: true }));
  try {
    const peft = await layerWithLoras(device, size, [16, 16]);
    const x = device.tensor(numbers(size, 7), { shape: [1, size] });
    let traces = 0;
    const forward = compile(
      (parameters: AdapterParameters, t: Tensor) => {
        traces++;
        return peft.withParameters(parameters, "a0").forward(t);
      },
      { device },
    );
    const [a, b] = [peft.parameters("a0"), peft.parameters("a1")];
    let turn = 0;
    const contestants = [
      {
        name: "the same adapter",
        turn: (seconds: number) =>
          timeCalls(
            paused(() => forward(a, x)),
            seconds,
          ),
      },
      {
        name: "another adapter each time",
        turn: (seconds: number) =>
          timeCalls(
            paused(() => forward(turn++ % 2 ? a : b, x)),
            seconds,
          ),
      },
    ];
    const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
    const [same, other] = contestants.map(({ name }) => times.get(name)!);
    const cost = Math.max(0, other!.best - same!.best) * 1e3;
    const common = { suite: "adapters", metric: "time", spread: other!.spread, rounds: other!.rounds, anchor: null, ratio: null };
    const goal = { goal: `≤ ${SWAP_GOAL_MS} ms, one plan`, met: cost <= SWAP_GOAL_MS && traces === 1 };
    context.emit({ ...common, case: `swap of a LoRA r 16 in a compiled forward ${size} → ${size}`, value: cost, unit: "ms", ...goal });
    forward.dispose();
  } finally {
    device.dispose();
  }
}
