import { createOnnxBackend } from "@weft/kernels-onnx";
import { compile, Device, sub, type Tensor } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import { summarise } from "../../statistics.js";
import { timeCalls } from "../../turns.js";

const MANY = 400;
/** µs that a run of one tiny tensor may take, and each further one. */
const GOALS = { run: 15, tensor: 1.2 };

/** What a bound call takes beside computing: of one tensor of four elements, and for each of many. */
export async function measureOverhead(context: BenchContext): Promise<void> {
  const device = new Device(await createOnnxBackend({ threads: 1 }));
  const one = await seconds(device, 1, context);
  const many = await seconds(device, MANY, context);
  const emit = (name: string, value: number, goal: number, spread: number): void =>
    context.emit({
      suite: "onnx",
      case: name,
      metric: "time",
      value: value * 1e6,
      unit: "µs",
      anchor: null,
      ratio: null,
      spread,
      rounds: context.rounds,
      goal: `≤ ${goal} µs`,
      met: value * 1e6 <= goal,
    });
  emit("a bound call with one tensor of 4 elements", one.best, GOALS.run, one.spread);
  emit(
    "the same, for each further tensor, with the difference that takes it in",
    (many.best - one.best) / (MANY - 1),
    GOALS.tensor,
    many.spread,
  );
  device.dispose();
}

async function seconds(device: Device, count: number, context: BenchContext): Promise<ReturnType<typeof summarise>> {
  const inputs = Array.from({ length: count }, (_, i) => device.tensor([i, 1, 2, 3]));
  const bound = await compile((list: Tensor[]) => list.reduce((x, y) => sub(x, y), list[0]!), { device }).prepare(inputs);
  const call = async (): Promise<void> => (await bound(inputs)).dispose();
  const turn = context.quick ? 0.02 : 0.3;
  await timeCalls(call, turn);
  const times: number[] = [];
  for (let round = 0; round < context.rounds; round++) times.push(await timeCalls(call, turn));
  return summarise(times);
}
