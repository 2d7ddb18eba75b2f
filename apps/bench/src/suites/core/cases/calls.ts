import { createWasmBackend } from "@weft/kernels-wasm";
import { add, compile, Device, loraLinear, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../../context.js";
import { takeTurns, timeCalls } from "../../../turns.js";
import { numbers } from "../../matmul/product.js";
import type { CoreCase } from "./case.js";

/** Largest time of a call above its kernels, µs. */
const CALL_GOAL = 5;
/** Calls whose allocations are counted. */
const COUNTED = 100;
/** Largest time of each further tensor among the arguments, µs. */
const LEAF_GOAL = 0.3;

/** A function and arguments for it, to be called again and again. */
interface Subject {
  readonly name: string;
  readonly leaves: number;
  readonly fn: (list: readonly Tensor[]) => readonly Tensor[];
  readonly shapes: readonly (readonly number[])[];
}

const tiny: Subject = {
  name: "loraLinear 1×16 → 16, rank 2",
  leaves: 4,
  fn: ([x, w, a, b]) => [loraLinear(x!, w!, a!, b!, 2)],
  shapes: [
    [1, 16],
    [16, 16],
    [2, 16],
    [16, 2],
  ],
};

/** One result out of many arguments, and as many results as arguments (a state that goes in and out). */
const sums = (count: number): Subject => ({
  name: `${count} arguments, one result`,
  leaves: count,
  fn: (list) => [list.reduce((a, b) => add(a, b))],
  shapes: Array<readonly number[]>(count).fill([4]),
});
const states = (count: number): Subject => ({
  name: `${count} arguments, ${count} results`,
  leaves: count,
  fn: (list) => list.map((t) => add(t, 1)),
  shapes: Array<readonly number[]>(count).fill([4]),
});

export const callCase: CoreCase = {
  name: "calls",
  async run(context) {
    const device = new Device(await createWasmBackend({ threads: 1, relaxed: true }));
    const count = context.quick ? 10 : 100;
    const base = await measure(device, tiny, context);
    emitCall(context, tiny, base, { goal: `≤ ${CALL_GOAL} µs above the kernels`, met: base.above <= CALL_GOAL });
    for (const make of [sums, states]) {
      const [few, many] = [make(count), make(10 * count)];
      const [a, b] = [await measure(device, few, context), await measure(device, many, context)];
      const perLeaf = (b.above - a.above) / (many.leaves - few.leaves);
      emitCall(context, many, b, {});
      const name = make === sums ? "each further argument" : "each further argument with a result";
      context.emit({
        suite: "core",
        case: `compiled call, ${name}`,
        metric: "time above the kernels",
        value: perLeaf,
        unit: "µs",
        anchor: null,
        ratio: null,
        goal: `≤ ${LEAF_GOAL} µs`,
        met: perLeaf <= LEAF_GOAL,
      });
    }
    device.dispose();
    await boundCall(states(count), context);
  },
};

/** A bound call whose state is donated: its time, and how often its loop asks the backend for memory. */
async function boundCall({ name, fn, shapes }: Subject, context: BenchContext): Promise<void> {
  const backend = await createWasmBackend({ threads: 1, relaxed: true });
  let allocations = 0;
  const allocate = backend.allocate.bind(backend);
  backend.allocate = (bytes) => {
    allocations++;
    return allocate(bytes);
  };
  const device = new Device(backend);
  const compiled = compile(fn, { device, donate: [0] });
  let state: readonly Tensor[] = shapes.map((shape) => device.tensor(numbers(shape[0]!, 3), { shape }));
  const bound = await compiled.prepare(state);
  const inputs = state.map((t) => device.bufferOf(t));
  const outputs = bound.executable.plan.outputs.map(({ buffer }) => backend.allocate(bound.executable.plan.buffers[buffer]!.bytes));
  const times = await takeTurns(
    [
      { name: "kernels", turn: (seconds) => timeCalls(() => backend.run(bound.executable, inputs, outputs), seconds) },
      { name: "bound call", turn: (seconds) => timeCalls(async () => void (state = await bound(state)), seconds) },
    ],
    { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 },
  );
  const before = allocations;
  for (let i = 0; i < COUNTED; i++) state = await bound(state);
  const made = allocations - before;
  const [kernels, call] = ["kernels", "bound call"].map((who) => times.get(who)!.best * 1e6) as [number, number];
  const common = { suite: "core", case: `bound call, donated, ${name}` } as const;
  context.emit({ ...common, metric: "time", value: call, unit: "µs", anchor: "its kernels", ratio: kernels / call });
  context.emit({
    ...common,
    metric: `allocations in ${COUNTED} calls`,
    value: made,
    unit: "",
    anchor: null,
    ratio: null,
    goal: "0",
    met: made === 0,
  });
  compiled.dispose();
  device.dispose();
}

/** µs of a call, of its kernels alone, and the difference. */
interface CallTimes {
  readonly call: number;
  readonly kernels: number;
  readonly above: number;
}

/** The compiled function called and its results disposed of, beside the same plan run on memory that is allocated before. */
async function measure(device: Device, { fn, shapes }: Subject, context: BenchContext): Promise<CallTimes> {
  const { backend } = device;
  const leaves = shapes.map((shape, i) =>
    device.tensor(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        2 * i + 3,
      ),
      { shape },
    ),
  );
  const compiled = compile(fn, { device });
  const { executable } = await compiled.prepare(leaves);
  const { plan } = executable;
  const inputs = leaves.map((t) => device.bufferOf(t));
  const outputs = plan.outputs.map(({ buffer }) => backend.allocate(plan.buffers[buffer]!.bytes));
  const call = async (): Promise<void> => {
    for (const t of await compiled(leaves)) t.dispose();
  };
  const times = await takeTurns(
    [
      { name: "kernels", turn: (seconds) => timeCalls(() => backend.run(executable, inputs, outputs), seconds) },
      { name: "call", turn: (seconds) => timeCalls(call, seconds) },
    ],
    { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 },
  );
  for (const buffer of outputs) backend.free(buffer);
  compiled.dispose();
  for (const t of leaves) t.dispose();
  const [kernels, whole] = ["kernels", "call"].map((name) => times.get(name)!.best * 1e6) as [number, number];
  return { call: whole, kernels, above: whole - kernels };
}

function emitCall(
  context: BenchContext,
  { name }: Subject,
  { call, kernels, above }: CallTimes,
  goal: { goal?: string; met?: boolean },
): void {
  const common = { suite: "core", case: `compiled call, ${name}`, unit: "µs" } as const;
  context.emit({ ...common, metric: "time", value: call, anchor: "its kernels", ratio: kernels / call });
  context.emit({ ...common, metric: "time above the kernels", value: above, anchor: null, ratio: null, ...goal });
}
