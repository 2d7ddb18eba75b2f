import { createOnnxBackend } from "@weft/kernels-onnx";
import { attention, type Backend, compile, Device, layerNorm, rmsNorm, softmax, swiglu, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import { takeTurns, timeCalls } from "../../turns.js";

/** Calls one after the other in a function, so that what a call of it takes does not count. */
const CALLS = 16;
/** As many as a claimed composite is to be faster than its decomposition, at every shape. */
const GOAL = 1;

/** A composite of f32 tensors whose result can be its first input; `rows` are the tokens, 1 when decoding. */
interface Case {
  readonly name: string;
  readonly shape: (rows: number) => readonly number[];
  readonly others: (rows: number) => readonly (readonly number[])[];
  readonly call: (x: Tensor, ...others: Tensor[]) => Tensor;
}

/** In the shapes of SmolLM2-135M. */
const CASES: readonly Case[] = [
  { name: "rmsNorm", shape: (m) => [1, m, 576], others: () => [[576]], call: (x, w) => rmsNorm(x, w!, 1e-5) },
  { name: "layerNorm", shape: (m) => [1, m, 576], others: () => [[576], [576]], call: (x, w, b) => layerNorm(x, w!, b!, 1e-5) },
  { name: "softmax", shape: (m) => [1, 9, m, 128], others: () => [], call: (x) => softmax(x) },
  { name: "swiglu", shape: (m) => [1, m, 1536], others: (m) => [[1, m, 1536]], call: (x, up) => swiglu(x, up!) },
  {
    name: "attention",
    shape: (m) => [1, 9, m, 64],
    others: () => [
      [1, 3, 128, 64],
      [1, 3, 128, 64],
    ],
    call: (q, k, v) => attention(q, k!, v!, { causal: true }),
  },
];

/** A backend that claims no composite. */
const decomposing = (backend: Backend): Backend => Object.create(backend, { claims: { value: () => false } }) as Backend;

/** Each composite that the runtime has an operator for, against its decomposition, with as many threads. */
export async function measureOperators(threads: number, context: BenchContext): Promise<void> {
  const devices = {
    operator: new Device(await createOnnxBackend({ threads })),
    decomposition: new Device(decomposing(await createOnnxBackend({ threads }))),
  };
  try {
    for (const rows of context.quick ? [1] : [1, 128])
      for (const one of CASES) {
        const works = await Promise.all(
          Object.entries(devices).map(async ([name, device]) => ({ name, ...(await work(device, one, rows)) })),
        );
        const [ours, theirs] = works as [(typeof works)[number], (typeof works)[number]];
        const error = ours.values.reduce((most, v, i) => Math.max(most, Math.abs(v - theirs.values[i]!)), 0);
        if (!(error <= 1e-5)) throw new Error(`${one.name}: the operator is ${error} off its decomposition`);
        const times = await takeTurns(
          works.map(({ name, call }) => ({ name, turn: (seconds: number) => timeCalls(call, seconds) })),
          { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.2 },
        );
        const { best, spread, rounds } = times.get("operator")!;
        const ratio = times.get("decomposition")!.best / best;
        context.emit({
          suite: "onnx",
          case: `${one.name} [${one.shape(rows)}], ${threads} ${threads === 1 ? "thread" : "threads"}`,
          metric: "time",
          value: (best / CALLS) * 1e6,
          unit: "µs",
          anchor: "decomposition",
          ratio,
          spread,
          rounds,
          error,
          goal: `≥ ${GOAL} ×`,
          met: ratio >= GOAL,
        });
      }
  } finally {
    for (const device of Object.values(devices)) device.dispose();
  }
}

async function work(
  device: Device,
  { shape, others, call }: Case,
  rows: number,
): Promise<{ call: () => Promise<void>; values: Float32Array }> {
  const make = (dims: readonly number[], seed: number): Tensor =>
    device.tensor(
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * i + seed)),
      { shape: dims },
    );
  const inputs = [shape(rows), ...others(rows)].map(make) as [Tensor, ...Tensor[]];
  const chain = (x: Tensor, ...rest: Tensor[]): Tensor => Array.from({ length: CALLS }).reduce<Tensor>((y) => call(y, ...rest), x);
  const bound = await compile(chain, { device }).prepare(...inputs);
  const y = await bound(...inputs);
  const values = (await y.data()) as Float32Array;
  y.dispose();
  return { call: async () => (await bound(...inputs)).dispose(), values };
}
