import { existsSync } from "node:fs";
import { join } from "node:path";
import { enableRelaxedSimd } from "@weft/kernels-wasm/node";
import type { BenchContext, Suite } from "../../context.js";
import { type Python, startPython } from "../../peers/python.js";
import { NO_SMOLLM2, smollm2 } from "../../peers/smollm2.js";
import { assertDone, runProcess } from "../../process.js";
import { type Contestant, takeTurns } from "../../turns.js";
import { RECIPE, type TrainAnswer } from "./protocol.js";
import { roof128 } from "./roof.js";
import { forgetPeak, peakOf, startTrainer, type Trainer } from "./trainer.js";

const THREADS = 2;
/** Losses of the same batches differ by the order of sums in f32. */
const TOLERANCE = 1e-3;

/** Who trains, from which of the two bases, and what is wanted of it: time and memory as a share of torch's in f32, the share of the roof of 128-bit vectors. */
export interface Engine {
  readonly name: string;
  readonly engine: "wasm" | "onnx";
  readonly base: "f32" | "nf4";
  readonly time?: number;
  readonly memory: number;
  readonly roof?: number;
}

/** On AMD torch has no matrix kernels of Intel's: what can be reached there is another share. */
const onIntel = (cpu: string): boolean => /intel/i.test(cpu);
const engines = (cpu: string): readonly Engine[] => [
  { name: "onnx, f32", engine: "onnx", base: "f32", time: onIntel(cpu) ? 1.1 : 0.65, memory: 1.1 },
  { name: "wasm, f32", engine: "wasm", base: "f32", memory: 0.8, roof: 0.8 },
  { name: "onnx, NF4", engine: "onnx", base: "nf4", memory: 0.4 },
  { name: "wasm, NF4", engine: "wasm", base: "nf4", memory: 0.4 },
];

export const trainSuite: Suite = {
  name: "train",
  summary: "LoRA steps of the real SmolLM2-135M, from f32 and NF4: weft against torch and PEFT, time and memory",
  async run(context) {
    await measureTraining(
      engines(context.cpu).filter(({ name }) => name.includes(context.only)),
      "train",
      context,
    );
  },
};

/** Measures engines against torch, one after the other, as findings of a suite. */
export async function measureTraining(wanted: readonly Engine[], suite: string, context: BenchContext): Promise<void> {
  const path = smollm2(context.root);
  if (path === undefined) return context.note(NO_SMOLLM2);
  const f32 = await baseOf("f32", path, context);
  enableRelaxedSimd();
  const roof = THREADS * (await roof128());
  const alone = { anchor: null, ratio: null } as const;
  context.emit({
    suite,
    case: `multiply-adds of 128 bits, ${THREADS} threads`,
    metric: "roof",
    value: roof / 1e9,
    unit: "GFLOP/s",
    ...alone,
  });
  const shared = await context.python();
  const ready = shared?.versions["peft"] !== undefined && shared.versions["transformers"] !== undefined;
  if (!ready) context.note("there is no Python with torch, transformers and peft");
  // A process of its own, whose memory is that of this work.
  const python = ready ? await startPython(shared.program, join(context.root, "apps/bench")) : undefined;
  try {
    const torch = python && (await firstOfTorch(python, f32, suite, context));
    for (const engine of wanted) await measure(engine, await baseOf(engine.base, path, context), torch, roof, suite, context);
  } finally {
    python?.stop();
  }
}

/** The model in f32 or in NF4, as `weft` writes it, kept between runs. */
async function baseOf(base: Engine["base"], path: string, { root, folder }: BenchContext): Promise<string> {
  const weft = async (...args: string[]): Promise<void> => {
    assertDone(`weft ${args[0]}`, await runProcess(process.execPath, [join(root, "apps/cli/dist/weft.js"), ...args, "--quiet"]));
  };
  const made = join(folder, `smollm2-${base}`);
  if (existsSync(made)) return made;
  if (base === "f32") await weft("convert", path, "--dtype", "f32", "-o", made);
  else await weft("quantize", join(folder, "smollm2-f32"), "--to", "nf4", "-o", made);
  return made;
}

/** torch with PEFT, and its loss of the first batch. */
interface Torch {
  readonly python: Python;
  readonly pid: number;
  readonly loss: number;
}

async function firstOfTorch(python: Python, folder: string, suite: string, context: BenchContext): Promise<Torch> {
  const { loss, pid, seconds } = (await python.call({ cmd: "lora", folder, threads: THREADS, ...RECIPE })) as {
    loss: number;
    pid: number;
    seconds: number;
  };
  const common = { suite, case: "first step, torch", metric: "time", unit: "s", anchor: null, ratio: null };
  context.emit({ ...common, value: seconds });
  return { python, pid, loss };
}

/** Rows and tokens of the batches that are timed. */
const shapesOf = (quick: boolean): readonly (readonly [rows: number, tokens: number])[] =>
  quick
    ? [[1, 64]]
    : [
        [1, 128],
        [4, 256],
      ];

async function measure(
  engine: Engine,
  folder: string,
  torch: Torch | undefined,
  roof: number,
  suite: string,
  context: BenchContext,
): Promise<void> {
  const trainer = startTrainer(join(context.root, "apps/bench/dist/trainer.js"));
  try {
    const { seconds: first, loss } = await trainer.call({ cmd: "load", engine: engine.engine, folder, threads: THREADS });
    const alone = { anchor: null, ratio: null } as const;
    context.emit({
      suite,
      case: `first step, ${engine.name}`,
      metric: "time",
      value: first!,
      unit: "s",
      ...alone,
      goal: "≤ 3 s",
      met: first! <= 3,
    });
    // The weights of NF4 are others.
    if (torch && engine.base === "f32" && !(Math.abs(loss! - torch.loss) < TOLERANCE))
      throw new Error(`${engine.name}: the loss of the first batch is ${loss}, torch has ${torch.loss}`);
    for (const [rows, tokens] of shapesOf(context.quick)) await measureShape(engine, trainer, torch, [rows, tokens], roof, suite, context);
  } finally {
    trainer.stop();
  }
}

async function measureShape(
  { name, time, memory, roof: share }: Engine,
  trainer: Trainer,
  torch: Torch | undefined,
  [rows, tokens]: readonly [number, number],
  roof: number,
  suite: string,
  context: BenchContext,
): Promise<void> {
  const common = { suite, case: `${rows} × ${tokens} tokens, ${name}` } as const;
  // The first step of a shape plans, and is not timed.
  const planned: TrainAnswer = await trainer.call({ cmd: "steps", rows, tokens, count: 0 });
  for (const pid of [trainer.pid, ...(torch ? [torch.pid] : [])]) forgetPeak(pid);
  const contestants: Contestant[] = [
    { name, turn: async () => (await trainer.call({ cmd: "steps", rows, tokens, count: 1 })).seconds! },
    ...(torch
      ? [{ name: "torch", turn: async () => (await torch.python.call({ cmd: "lora steps", rows, tokens, count: 1 }))["seconds"] as number }]
      : []),
  ];
  const times = await takeTurns(contestants, { rounds: context.quick ? 1 : context.rounds, seconds: 1 });
  const [own, theirs] = [times.get(name)!, times.get("torch")];
  const seconds = { ...common, metric: "time of a step", value: own.best, unit: "s", spread: own.spread, rounds: own.rounds };
  if (theirs) {
    context.emit({
      ...common,
      case: `${rows} × ${tokens} tokens, torch`,
      metric: "time of a step",
      value: theirs.best,
      unit: "s",
      anchor: null,
      ratio: null,
      spread: theirs.spread,
    });
    const goal = time !== undefined && { goal: `≤ ${time} × the time`, met: own.best <= time * theirs.best };
    context.emit({ ...seconds, anchor: "torch", ratio: theirs.best / own.best, ...goal });
  } else context.emit({ ...seconds, anchor: null, ratio: null });
  const reached = planned.flops! / own.best / roof;
  const ofRoof = share !== undefined && { goal: `≥ ${share}`, met: reached >= share };
  context.emit({ ...common, metric: "share of the 128-bit roof", value: reached, unit: "", anchor: null, ratio: null, ...ofRoof });
  context.emit({
    ...common,
    metric: "forecast of the time",
    value: planned.forecast!,
    unit: "s",
    anchor: "the step",
    ratio: own.best / planned.forecast!,
  });
  const [mine, other] = [peakOf(trainer.pid), torch && peakOf(torch.pid)];
  if (mine === undefined) return;
  const peak = { ...common, metric: "peak memory", value: mine / 2 ** 20, unit: "MiB" };
  if (other === undefined) context.emit({ ...peak, anchor: null, ratio: null });
  else context.emit({ ...peak, anchor: "torch, f32", ratio: other / mine, goal: `≤ ${memory} ×`, met: mine <= memory * other });
}
