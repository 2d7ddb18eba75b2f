import { add, compile, type Device, linear, loraBank, loraLinear, multiLora, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import { takeTurns } from "../../turns.js";
import { numbers } from "../matmul/product.js";

/** Ranks of the adapters of a mixed batch, one row each; 15 on average. */
const RANKS = [4, 8, 16, 32, 4, 8, 16, 32];
/** The rank of the one adapter that all rows share in the other contestant. */
const ONE = 16;
/** How much longer a mixed batch may take than one adapter. */
const GOAL = 1.3;
const QUEUED = 20;

export interface MixedBatch {
  readonly suite: string;
  /** Where it runs. */
  readonly where: string;
  readonly width: number;
  /** Tokens of each of the eight rows. */
  readonly tokens: number;
  /** False where times mean nothing: then there is no goal. */
  readonly judged: boolean;
}

/** A layer with eight adapters of mixed ranks, a row for each, against the same layer with one adapter for all rows; f32. */
export async function measureMixedBatch(device: Device, batch: MixedBatch, context: BenchContext): Promise<void> {
  const { suite, where, width: d, tokens, judged } = batch;
  let seed = 3;
  const make = (...shape: number[]): Tensor =>
    device.tensor(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        (seed += 4),
      ),
      { shape },
    );
  const [x, w, a, b] = [make(RANKS.length, tokens, d), make(d, d), make(ONE, d), make(d, ONE)];
  const bank = loraBank(
    RANKS.map((r) => make(r, d)),
    RANKS.map((r) => make(d, r)),
    RANKS.map(() => 2),
  );
  await device.evaluate([bank.a, bank.b]);
  const index = device.tensor(Int32Array.from(RANKS, (_, k) => k));
  const one = compile((t: Tensor) => loraLinear(t, w, a, b, 2), { device });
  const mixed = compile((t: Tensor, picks: Tensor) => add(linear(t, w), multiLora(t, picks, bank)), { device });
  const turn =
    (call: () => Promise<Tensor>) =>
    async (seconds: number): Promise<number> => {
      const start = performance.now();
      for (let calls = 0; ;) {
        for (let i = 1; i < QUEUED; i++) (await call()).dispose();
        const last = await call();
        await last.data();
        last.dispose();
        calls += QUEUED;
        const elapsed = (performance.now() - start) / 1000;
        if (elapsed >= seconds) return elapsed / calls;
      }
    };
  const names = [`one adapter of rank ${ONE}`, `8 adapters of ranks ${Math.min(...RANKS)} to ${Math.max(...RANKS)}`] as const;
  const times = await takeTurns(
    [
      { name: names[0], turn: turn(() => one(x)) },
      { name: names[1], turn: turn(() => mixed(x, index)) },
    ],
    { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 },
  );
  const anchor = times.get(names[0])!.best;
  for (const [name, { best, spread, rounds }] of times) {
    const common = {
      suite,
      case: `8×${tokens}×${d} → ${d}, ${name}, ${where}`,
      metric: "time",
      value: best * 1e6,
      unit: "µs",
      spread,
      rounds,
    };
    if (name === names[0]) context.emit({ ...common, anchor: null, ratio: null });
    else
      context.emit({
        ...common,
        anchor: names[0],
        ratio: anchor / best,
        ...(judged && { goal: `time ≤ ${GOAL} ×`, met: best / anchor <= GOAL }),
      });
  }
  one.dispose();
  mixed.dispose();
}
