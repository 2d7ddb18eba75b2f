import { LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel, type PeftModel, stateDict } from "@weft/registry";
import { fourBit, quantize, toPacked } from "@weft/quant-nf4-awq";
import { cast, dequantize, flattenTree, type Tensor } from "@weft/tensor-core";
import { describe, expect, it, vi } from "vitest";
import { distillation } from "../objectives/distillation.js";
import { dpo } from "../objectives/dpo.js";
import { kto } from "../objectives/kto.js";
import { orpo } from "../objectives/orpo.js";
import { backend, device, fixture, gap, SMALL_LORA } from "../testing/fixtures.js";
import type { Batch } from "./batch.js";
import { biases, fullModel } from "./full-model.js";
import type { StepRecord } from "./record.js";
import { train, type Training } from "./train.js";
import type { TrainingOptions } from "./training-options.js";
import type { Trainee } from "./trainee.js";

const model = await loadPretrained(fixture("models", "llama"), { device });
const fresh = (config: { readonly peft_type: string } = SMALL_LORA): Promise<PeftModel<CausalInputs, CausalOutput>> =>
  getPeftModel<CausalInputs, CausalOutput>(model as never, config, { methods: LORA_METHODS, seed: 3 });

/** Rows of a sequence that can be learnt, of this length. */
const batchOf = (rows: number, length: number, from = 0): Batch => {
  const inputIds = Array.from({ length: rows }, (_, r) => Array.from({ length }, (__, i) => 3 + ((from + 7 * r + 5 * i) % 90)));
  return { inputIds, labels: inputIds };
};
const BATCHES = [0, 1, 2, 3].map((i) => batchOf(2, 12, i));

async function run(training: Training): Promise<StepRecord[]> {
  const records: StepRecord[] = [];
  for await (const record of training) records.push(record);
  return records;
}
const steps = async (trainee: Trainee, data: readonly Batch[], options: TrainingOptions = {}): Promise<StepRecord[]> =>
  run(train(trainee, data, { learningRate: 1e-2, ...options }));
async function values(trainee: Trainee): Promise<number[]> {
  const all: number[] = [];
  for (const t of flattenTree(trainee.parameters()).leaves) all.push(...(await t.data()));
  return all;
}

const distances = async (trainee: Trainee, options: TrainingOptions): Promise<{ readonly [name: string]: number }> => {
  const before = trainee.parameters();
  await steps(trainee, BATCHES, { maxSteps: 1, optim: "sgd", maxGradNorm: 0, lrSchedulerType: "constant", ...options });
  const after = trainee.parameters();
  const [was, is] = [before, after].map(({ layers, replaced }) => ({ ...Object.values(layers)[0], ...replaced }));
  return Object.fromEntries(await Promise.all(Object.keys(is!).map(async (name) => [name, await gap(is![name]!, was![name]!)] as const)));
};
const firstStep = async (options: TrainingOptions): Promise<StepRecord> =>
  (await steps(await fresh(), BATCHES, { maxSteps: 1, evalData: BATCHES, learningRate: 0, lrSchedulerType: "constant", ...options }))[0]!;

describe("a training", () => {
  it("lowers the loss, and says what it did", async () => {
    const records = await steps(await fresh(), BATCHES, { numTrainEpochs: 5 });
    expect(records).toHaveLength(20);
    expect(records.at(-1)!.loss).toBeLessThan(0.8 * records[0]!.loss);
    expect(records[5]).toMatchObject({
      step: 6,
      epoch: 1.5,
      tokens: 24,
      trainedTokens: 22,
      numInputTokensSeen: 144,
      learningRate: 1e-2 * (15 / 20),
    });
    expect(records[5]!.tokensPerSecond).toBeGreaterThan(0);
  });

  it("traces a plan per shape, and takes no more memory from step to step", async () => {
    const training = train(await fresh(), [batchOf(2, 12), batchOf(2, 9)], { maxSteps: 12, learningRate: 1e-2 });
    const [traces, used]: [number[], number[]] = [[], []];
    for await (const _ of training) {
      traces.push(training.traces);
      used.push(backend.statistics().usedBytes);
    }
    expect(traces).toEqual([1, ...Array<number>(11).fill(2)]);
    expect(new Set(used.slice(3)).size).toBe(1);
  });

  it("lets timers and messages in between steps, so that a page and a signal are heard", async () => {
    const training = train(await fresh(), BATCHES, { maxSteps: 6, learningRate: 1e-2, evalData: BATCHES, evalSteps: 3 } as TrainingOptions);
    const heard: number[] = [];
    let step = 0;
    const tick = (): void => void (heard.push(step), step < 6 && setTimeout(tick, 0));
    setTimeout(tick, 0);
    for await (const record of training) ({ step } = record);
    expect(new Set(heard).size).toBeGreaterThan(2);
  });

  it("adds up micro-batches of any sizes to what one batch gives", async () => {
    const [long, short] = [batchOf(2, 12), batchOf(2, 12, 9)];
    // The second row counts three labels only.
    const uneven: Batch = {
      ...short,
      labels: (short["labels"] as number[][]).map((row, r) => row.map((id, i) => (r === 1 && i > 3 ? -100 : id))),
    };
    const join = (name: "inputIds" | "labels"): number[][] => [...(long[name] as number[][]), ...(uneven[name] as number[][])];
    const both: Batch = { inputIds: join("inputIds"), labels: join("labels") };
    const [one, two] = [await fresh(), await fresh()];
    const [a] = await steps(one, [both], { maxSteps: 1 });
    const [b] = await steps(two, [long, uneven], { maxSteps: 1, gradientAccumulationSteps: 2 });
    expect(b!.trainedTokens).toBe(36);
    expect(a!.loss).toBeCloseTo(b!.loss, 5);
    expect(a!.gradNorm).toBeCloseTo(b!.gradNorm, 5);
    const [x, y] = [await values(one), await values(two)];
    expect(Math.max(...x.map((v, i) => Math.abs(v - y[i]!)))).toBeLessThan(1e-4);
  });

  it("ends an epoch with the batches that are left", async () => {
    const records = await steps(await fresh(), BATCHES.slice(0, 3), { numTrainEpochs: 2, gradientAccumulationSteps: 2 });
    expect(records.map(({ tokens, epoch }) => [tokens, epoch])).toEqual([
      [48, 0.5],
      [24, 1],
      [48, 1.5],
      [24, 2],
    ]);
  });

  it("computes blocks again with the same result, in less memory, by itself if it has to", async () => {
    const data = [batchOf(4, 48)];
    const [plain, again, budget] = [await fresh(), await fresh(), await fresh()];
    await steps(plain, data, { maxSteps: 3 });
    await steps(again, data, { maxSteps: 3, gradientCheckpointing: "blocks" });
    const [x, y] = [await values(plain), await values(again)];
    expect(Math.max(...x.map((v, i) => Math.abs(v - y[i]!)))).toBeLessThan(1e-5);
    const training = train(budget, data, { maxSteps: 1, learningRate: 1e-2, gradientCheckpointing: { maxMemory: 1e9 } });
    await run(training);
    expect(training.gradientCheckpointing).toBe("none");
    await expect(steps(budget, data, { maxSteps: 1, gradientCheckpointing: { maxMemory: 1000 } })).rejects.toMatchObject({
      kind: "training-memory",
    });
  });

  it("pauses, goes on and stops between steps", async () => {
    const peft = await fresh();
    const training = train(peft, BATCHES, { maxSteps: 10, learningRate: 1e-2 });
    const seen: number[] = [];
    const running = (async () => {
      for await (const { step } of training) {
        seen.push(step);
        if (step === 2) training.pause();
        if (step === 4) training.stop();
      }
    })();
    await vi.waitFor(() => expect(seen).toEqual([1, 2]), { timeout: 60_000 });
    // Longer than a step takes.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(seen).toEqual([1, 2]);
    training.resume();
    await running;
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect((await values(peft)).every(Number.isFinite)).toBe(true);
  });

  it("stops by a signal, with the parameters of the last step", async () => {
    const peft = await fresh();
    const controller = new AbortController();
    const training = train(peft, BATCHES, { maxSteps: 10, signal: controller.signal });
    await expect(
      (async () => {
        for await (const { step } of training) if (step === 2) controller.abort();
      })(),
    ).rejects.toMatchObject({ name: "CancelledError" });
    expect((await values(peft)).every(Number.isFinite)).toBe(true);
  });

  it("stops by a signal while it is paused", async () => {
    const controller = new AbortController();
    const training = train(await fresh(), BATCHES, { maxSteps: 10, signal: controller.signal });
    const running = run(training);
    training.pause();
    setTimeout(() => controller.abort(), 50);
    await expect(running).rejects.toMatchObject({ name: "CancelledError" });
  });

  it("keeps the parameters of the step before where a step gives no number", async () => {
    const peft = await fresh();
    await steps(peft, BATCHES, { maxSteps: 2 });
    const before = await values(peft);
    await expect(steps(peft, BATCHES, { maxSteps: 3, learningRate: 1e30, lrSchedulerType: "constant" })).rejects.toMatchObject({
      kind: "non-finite-loss",
    });
    const after = await values(peft);
    expect(after.every(Number.isFinite)).toBe(true);
    expect(after).not.toEqual(before);
  });

  it("a batch without a label changes nothing, whatever the moments are; an epoch without one is refused", async () => {
    const peft = await fresh();
    const ignored: Batch = { ...BATCHES[0]!, labels: [Array<number>(12).fill(-100), Array<number>(12).fill(-100)] };
    let before: number[] = [];
    for await (const { step, loss, trainedTokens } of train(peft, [BATCHES[1]!, ignored], { maxSteps: 2, learningRate: 1e-2 })) {
      if (step === 1) before = await values(peft);
      else expect([loss, trainedTokens]).toEqual([0, 0]);
    }
    expect(await values(peft)).toEqual(before);
    await expect(steps(peft, [ignored], { maxSteps: 2 })).rejects.toMatchObject({ kind: "nothing-to-train" });
  });

  it("draws dropout by the step: the same seed gives the same run, another one another, and no two steps drop the same", async () => {
    const config = Object.freeze({ ...SMALL_LORA, lora_dropout: 0.5, init_lora_weights: false });
    const losses = async (seed: number): Promise<number[]> =>
      (await steps(await fresh(config), BATCHES.slice(0, 1), { maxSteps: 4, seed, learningRate: 0 })).map(({ loss }) => loss);
    const first = await losses(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
    expect(new Set(first).size).toBe(4);
  });

  it("gives B its rate with LoRA+, and lets biases and norms be", async () => {
    const config = Object.freeze({ ...SMALL_LORA, init_lora_weights: false });
    const [plain, plus] = [await distances(await fresh(config), {}), await distances(await fresh(config), { loraplusLrRatio: 8 })];
    expect(plus["B"]! / plain["B"]!).toBeCloseTo(8, 2);
    expect(plus["A"]! / plain["A"]!).toBeCloseTo(1, 3);

    const gpt2 = await loadPretrained(fixture("models", "gpt2"), { device });
    const [free, decayed] = [await distances(fullModel(gpt2 as never), {}), await distances(fullModel(gpt2 as never), { weightDecay: 50 })];
    const changed = Object.keys(free).filter((name) => Math.abs(free[name]! - decayed[name]!) > 1e-7);
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.filter((name) => /bias$|ln_/.test(name))).toEqual([]);
    expect(changed).toContain("transformer.h.0.attn.c_attn.weight");
  });

  it("keeps a running average, which the model has after each step", async () => {
    const [plain, averaged] = [await fresh(), await fresh()];
    await steps(plain, BATCHES, { maxSteps: 3 });
    await steps(averaged, BATCHES, { maxSteps: 3, emaDecay: 0.5 });
    const start = await values(await fresh());
    const [x, y] = [await values(plain), await values(averaged)];
    const far = (v: readonly number[]): number => v.reduce((sum, a, i) => sum + Math.abs(a - start[i]!), 0);
    expect(far(y)).toBeGreaterThan(0);
    expect(far(y)).toBeLessThan(0.9 * far(x));
  });
});

it("pairs and single judgements train by their objectives", async () => {
  const [chosen, rejected] = [batchOf(2, 10, 1)["inputIds"] as number[][], batchOf(2, 10, 40)["inputIds"] as number[][]];
  const pairs: Batch = { inputIds: [...chosen, ...rejected], labels: [...chosen, ...rejected] };
  const judged: Batch = { ...pairs, desirable: [1, 1, 0, 0], klInputIds: [...rejected, ...chosen], klLabels: [...rejected, ...chosen] };
  for (const [objective, batch, weight] of [
    [dpo(), pairs, 2],
    [orpo(), pairs, 2],
    [kto(), judged, 4],
    [distillation(), pairs, 36],
  ] as const) {
    const records = await steps(await fresh(), [batch], { maxSteps: 6, objective, lrSchedulerType: "constant" });
    expect([objective.name, records[0]!.trainedTokens]).toEqual([objective.name, weight]);
    expect(records.at(-1)!.loss).toBeLessThan(records[0]!.loss);
  }
});

describe("an evaluation", () => {
  it("is the loss without dropout, and ends a training that gets no better", async () => {
    const peft = await fresh();
    const records = await steps(peft, BATCHES, {
      maxSteps: 20,
      evalData: [batchOf(2, 12, 50)],
      evalSteps: 1,
      earlyStoppingPatience: 2,
      learningRate: 0.5,
      lrSchedulerType: "constant",
    });
    const losses = records.map(({ evaluation }) => evaluation!.loss);
    const best = losses.indexOf(Math.min(...losses));
    expect(records.length).toBeLessThan(20);
    expect(records.at(-1)!.ended).toBe("no-improvement");
    expect(records.length).toBe(best + 3);
    expect(records[0]!.evaluation!.perplexity).toBeCloseTo(Math.exp(losses[0]!), 6);
    expect(records.map(({ evaluation }) => evaluation!.isBest)).toEqual(
      losses.map((loss, i) => loss < Math.min(Infinity, ...losses.slice(0, i))),
    );
  });

  it("smooths no labels, and is that of the running average where there is one", async () => {
    const plain = await firstStep({});
    const smoothed = await firstStep({ labelSmoothingFactor: 0.3 });
    expect(smoothed.evaluation!.loss).toBe(plain.evaluation!.loss);
    expect(smoothed.loss).not.toBeCloseTo(plain.loss, 3);
    const [moved, averaged] = [await firstStep({ learningRate: 0.1 }), await firstStep({ learningRate: 0.1, emaDecay: 0.999999 })];
    expect(Math.abs(moved.evaluation!.loss - plain.evaluation!.loss)).toBeGreaterThan(1e-3);
    expect(averaged.evaluation!.loss).toBeCloseTo(plain.evaluation!.loss, 4);
  });

  it("gives a schedule that follows it its losses", async () => {
    // No loss is better than the first by so much: each evaluation halves the rate.
    const halving = { lrSchedulerType: "reduce_lr_on_plateau", lrSchedulerKwargs: { patience: 0, factor: 0.5, threshold: 0.99 } };
    const told = { maxSteps: 6, evalSteps: 2, ...halving };
    const records = await steps(await fresh(), BATCHES, { ...told, evalData: BATCHES });
    expect(records.map(({ learningRate }) => learningRate)).toEqual([1e-2, 1e-2, 1e-2, 1e-2, 5e-3, 5e-3]);
    await expect(steps(await fresh(), BATCHES, told)).rejects.toThrow("follows evaluations, and there is nothing to evaluate on");
  });

  it("and samples come when they are due", async () => {
    const records = await steps(await fresh(), BATCHES, {
      maxSteps: 5,
      evalData: BATCHES,
      evalSteps: 2,
      sampleSteps: 2,
      sample: (step) => [`after ${step}`],
    });
    expect(records.map(({ evaluation }) => evaluation !== undefined)).toEqual([false, true, false, true, true]);
    expect(records.map(({ samples }) => samples?.[0])).toEqual([undefined, "after 2", undefined, "after 4", "after 5"]);
  });
});

describe("what trains", () => {
  it("may be all weights of a model, or its biases", async () => {
    const all = fullModel(model as never);
    const records = await steps(all, BATCHES, { maxSteps: 8, learningRate: 1e-2 });
    expect(records.at(-1)!.loss).toBeLessThan(records[0]!.loss);
    expect(Object.keys(all.parameters().replaced)).toEqual([...model.weights.keys()]);
    expect(() => fullModel(model as never, biases)).toThrow("none of the 21 weights");
    const gpt2 = await loadPretrained(fixture("models", "gpt2"), { device });
    const some = fullModel(gpt2 as never, biases);
    const before = await values(some);
    await steps(some, BATCHES, { maxSteps: 2 });
    expect(await values(some)).not.toEqual(before);
    expect(Object.keys(some.parameters().replaced).every((name) => name.endsWith(".bias"))).toBe(true);
  });

  it.each(["bf16", "nf4"] as const)("may be an adapter on weights in %s", async (stored) => {
    const changed: [string, Tensor][] = [];
    for (const [name, weight] of model.weights) {
      if (!name.includes("_proj")) continue;
      if (stored === "bf16") changed.push([name, cast(weight, "bf16")]);
      else {
        const [rows, columns] = weight.shape as [number, number];
        const packed = toPacked(quantize((await weight.data()) as Float32Array, [rows, columns], fourBit({ blocksize: 64 })), device);
        changed.push([name, dequantize(packed)]);
      }
    }
    const base = model.withWeights(new Map(changed));
    if (stored === "nf4") expect(() => fullModel(base as never)).toThrow("stored quantised");
    const peft = await getPeftModel<CausalInputs, CausalOutput>(base as never, SMALL_LORA, { methods: LORA_METHODS, seed: 3 });
    const records = await steps(peft, BATCHES, { maxSteps: 12 });
    expect(records.at(-1)!.loss).toBeLessThan(0.95 * records[0]!.loss);
    expect(flattenTree(peft.parameters()).leaves.every(({ dtype }) => dtype === "f32")).toBe(true);
  });

  it("has the names of PEFT's file", async () => {
    const peft = await fresh();
    const names: string[] = [];
    await steps(peft, BATCHES, { maxSteps: 1, save: async ({ optimizer }) => (names.push(...optimizer.keys()), "") });
    expect(
      names
        .filter((name) => name.startsWith("exp_avg."))
        .map((name) => name.slice("exp_avg.".length))
        .toSorted(),
    ).toEqual([...stateDict(peft.state("default")).keys()].toSorted());
  });
});

describe("refuses", () => {
  it.each([
    [{ learningRate: -1 }, "learningRate is -1"],
    [{ gradientAccumulationSteps: 1.5 }, "gradientAccumulationSteps is 1.5"],
    [{ emaDecay: 1 }, "emaDecay is 1"],
    [{ optim: "adam_w" }, 'optim is "adam_w"'],
    [{ lrSchedulerType: "cos" }, 'lrSchedulerType is "cos"'],
    [{ evalSteps: 0 }, "evalSteps is 0"],
  ] as const)("the option %j", async (options, message) => {
    const peft = await fresh();
    expect(() => train(peft, BATCHES, { maxSteps: 1, ...options } as TrainingOptions)).toThrow(message);
  });

  it.each([
    [[], "the data gave no batch in epoch 1"],
    [[{ labels: [[1]] }], "has no inputIds; it has labels"],
    [[{ inputIds: [[1, 2], [3]], labels: [[1, 2], [3]] }], "rows of 2 and of 1 (row 1)"],
    [[{ inputIds: [[1, 2]], labels: [[1, Number.NaN]] }], "labels holds NaN at 1"],
  ] as const)("the data %j", async (data, message) => {
    await expect(steps(await fresh(), data as unknown as readonly Batch[], { maxSteps: 1 })).rejects.toThrow(message);
  });

  it("data of unknown length without maxSteps, a generator for two epochs, a second run, and a model where nothing trains", async () => {
    const generator = (function* () {
      yield* BATCHES;
    })();
    const peft = await fresh();
    expect(() => train(peft, generator)).toThrow("maxSteps is not given");
    await expect(run(train(peft, generator, { maxSteps: 5 }))).rejects.toMatchObject({ kind: "no-data" });
    const training = train(peft, BATCHES, { maxSteps: 1 });
    await run(training);
    expect(() => training[Symbol.asyncIterator]()).toThrow("runs once");
    const none = {
      ...fullModel(model as never),
      parameters: () => ({ layers: {}, shared: {}, replaced: {}, prompt: {} }),
      baseModel: model,
    };
    expect(() => train(none as never, BATCHES)).toThrow("nothing would train");
  });
});
