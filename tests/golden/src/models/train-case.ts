import { join } from "node:path";
import { LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { stateDict } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import type { Device, Tensor } from "@weft/tensor-core";
import { type Batch, type Resume, train } from "@weft/training";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors, withPrefix } from "../peft/files.js";

interface Run {
  readonly base: string;
  readonly steps: number;
  readonly warmup: number;
  readonly lr: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly clip: number;
  readonly log: readonly { readonly loss: number; readonly grad_norm: number; readonly lr: number }[];
}

/** A change of the start by 1e-6 moves the adapters by 5e-6 and the losses by 2e-5 after 20 steps. */
const TOLERANCE = 1e-4;

/** Rows of each batch of a tensor i32 [batches, rows, length]. */
async function batchesOf(all: Tensor): Promise<number[][][]> {
  const [count, rows, length] = all.shape as [number, number, number];
  const values = [...(await all.data())];
  const row = (at: number): number[] => values.slice(at * length, (at + 1) * length);
  return Array.from({ length: count }, (_, b) => Array.from({ length: rows }, (__, r) => row(b * rows + r)));
}

/**
 * 20 steps of AdamW with clipping, warm-up and a cosine on a LoRA, as torch and PEFT made them: every rate, loss and norm, and the adapter at the end; then again from the
 * checkpoint in the middle.
 */
export async function runTraining(folder: string, root: string, device: Device): Promise<Outcome> {
  const run = readJson<Run>(folder, "expect.json");
  const check = new Comparison(TOLERANCE);
  const model = await loadPretrained(join(root, run.base), { device });
  const ref = await readTensors(join(folder, "ref.safetensors"), device);
  const final = await readTensors(join(folder, "final"), device);
  const [inputIds, labels] = [await batchesOf(ref.get("input_ids")!), await batchesOf(ref.get("labels")!)];
  const data = inputIds.map((rows, i): Batch => ({ inputIds: rows, labels: labels[i]! }));
  const settings = {
    maxSteps: run.steps,
    learningRate: run.lr,
    lrSchedulerType: "cosine",
    warmupSteps: run.warmup,
    maxGradNorm: run.clip,
    weightDecay: run.weight_decay,
    adamBeta1: run.betas[0],
    adamBeta2: run.betas[1],
    adamEpsilon: run.eps,
  };
  const follow = async (what: string, tag: string, resume?: Resume): Promise<void> => {
    const peft = await loadPeftModel<CausalInputs, CausalOutput>(model, join(folder, tag), { methods: LORA_METHODS });
    for await (const { step, loss, gradNorm, learningRate } of train(peft, data, { ...settings, device, resume })) {
      const want = run.log[step - 1]!;
      check.within(`${what}: rate of step ${step}`, Math.abs(learningRate - want.lr), 1e-12);
      check.within(`${what}: loss of step ${step}`, Math.abs(loss - want.loss), TOLERANCE * Math.max(1, want.loss));
      check.within(`${what}: norm of step ${step}`, Math.abs(gradNorm - want.grad_norm), TOLERANCE * Math.max(1, want.grad_norm));
    }
    const trained = stateDict(peft.state("default"));
    check.exact(`${what}: parameters that train`, [...trained.keys()].toSorted(), [...withPrefix(ref, "grad0.").keys()].toSorted());
    for (const [name, t] of trained) await check.tensors(`${what}: final ${name}`, t, final.get(name)!);
  };
  await follow("from the start", "initial");
  const middle = run.steps / 2;
  const position = {
    step: middle,
    epoch: 0,
    batchesInEpoch: middle,
    numInputTokensSeen: 0,
    bestLoss: null,
    bestStep: null,
    sinceBest: 0,
    lossScale: null,
    history: [],
  };
  await follow("resumed", "checkpoint-10", { position, optimizer: withPrefix(ref, "resume."), parameters: new Map(), ema: new Map() });
  return check.outcome();
}
