import { join } from "node:path";
import { LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { type AdapterParameters, type PeftModel, stateDict } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import {
  adamwStep,
  add,
  clipByGlobalNorm,
  compile,
  type Device,
  flattenTree,
  reshape,
  slice,
  type Tensor,
  unflattenTree,
  valueAndGrad,
  zeros,
} from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors, withPrefix } from "../peft/files.js";
import { nextTokenLoss } from "./next-token-loss.js";

interface Run {
  readonly base: string;
  readonly steps: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly clip: number;
  readonly log: readonly { readonly loss: number; readonly grad_norm: number; readonly lr: number }[];
}

/** A change of the start by 1e-6 moves the adapters by 5e-6 and the losses by 2e-5 after 20 steps. */
const TOLERANCE = 1e-4;

type State = { readonly p: AdapterParameters; readonly m: AdapterParameters; readonly v: AdapterParameters };

/** The tensors of a tree of parameters under the names that PEFT gives them. */
function named(peft: PeftModel<never, unknown>, p: AdapterParameters): Map<string, Tensor> {
  return stateDict(peft.withParameters(p).state("default"));
}

/** A tree like `p` out of tensors by PEFT's names. */
function treeOf(peft: PeftModel<never, unknown>, p: AdapterParameters, tensors: (name: string, like: Tensor) => Tensor): AdapterParameters {
  const names = new Map([...named(peft, p)].map(([name, t]) => [t, name]));
  const { leaves, structure } = flattenTree(p);
  return unflattenTree(
    structure,
    leaves.map((leaf) => tensors(names.get(leaf)!, leaf)),
  ) as AdapterParameters;
}

/**
 * 20 steps of AdamW with clipping on a LoRA, as torch and PEFT made them: the first gradients, every loss and norm, and the adapter at the end; then
 * again from the checkpoint in the middle.
 */
export async function runTraining(folder: string, root: string, device: Device): Promise<Outcome> {
  const run = readJson<Run>(folder, "expect.json");
  const check = new Comparison(TOLERANCE);
  const model = await loadPretrained(join(root, run.base), { device });
  const ref = await readTensors(join(folder, "ref.safetensors"), device);
  const final = await readTensors(join(folder, "final"), device);
  const batch = (name: string, s: number): Tensor => {
    const all = ref.get(name)!;
    return reshape(slice(all, [[s, s + 1]]), all.shape.slice(1));
  };
  const load = (tag: string): ReturnType<typeof loadPeftModel<CausalInputs, CausalOutput>> =>
    loadPeftModel<CausalInputs, CausalOutput>(model, join(folder, tag), { methods: LORA_METHODS });
  const peft = await load("initial");
  const gradients = (p: AdapterParameters, ids: Tensor, labels: Tensor): { value: Tensor; grads: AdapterParameters } =>
    valueAndGrad((q: AdapterParameters) => nextTokenLoss(peft.withParameters(q).forward({ inputIds: ids }).logits, labels))(p);

  const { grads } = gradients(peft.parameters(), batch("input_ids", 0), batch("labels", 0));
  const want = withPrefix(ref, "grad0.");
  const got = named(peft, grads);
  check.exact("parameters that train", [...got.keys()].toSorted(), [...want.keys()].toSorted());
  for (const [name, grad] of got) await check.tensors(`grad0 ${name}`, grad, want.get(name)!);

  const step = compile(
    ({ p, m, v }: State, ids: Tensor, labels: Tensor, lr: Tensor, t: Tensor) => {
      const { value: loss, grads: all } = gradients(p, ids, labels);
      const [ps, gs, ms, vs] = [p, all, m, v].map((tree) => flattenTree(tree).leaves) as [Tensor[], Tensor[], Tensor[], Tensor[]];
      const { tensors: clipped, norm } = clipByGlobalNorm(gs, run.clip);
      const attrs = { beta1: run.betas[0], beta2: run.betas[1], eps: run.eps, weightDecay: run.weight_decay };
      const next = ps.map((one, i) => adamwStep({ p: one, g: clipped[i]!, m: ms[i]!, v: vs[i]!, lr, step: t }, attrs));
      const { structure } = flattenTree(p);
      const tree = (part: "p" | "m" | "v"): AdapterParameters =>
        unflattenTree(
          structure,
          next.map((one) => one[part]),
        ) as AdapterParameters;
      return { state: { p: tree("p"), m: tree("m"), v: tree("v") }, loss, norm };
    },
    { device, donate: [0] },
  );
  const scalar = (x: number): Tensor => device.tensor(Float32Array.of(x), { shape: [] });
  const train = async (what: string, from: number, start: State): Promise<void> => {
    let state = start;
    for (let s = from; s < run.steps; s++) {
      const { loss, grad_norm: norm, lr } = run.log[s]!;
      const result = await step(state, batch("input_ids", s), batch("labels", s), scalar(lr), scalar(s + 1));
      await check.tensors(`${what}: loss of step ${s + 1}`, result.loss, scalar(loss));
      await check.tensors(`${what}: norm of step ${s + 1}`, result.norm, scalar(norm));
      state = result.state;
    }
    for (const [name, t] of named(peft, state.p)) await check.tensors(`${what}: final ${name}`, t, final.get(name)!);
  };
  /** Donated memory is the step's: the start stays. */
  const copy = (t: Tensor): Tensor => add(t, 0);
  const begin = peft.parameters();
  const none = treeOf(peft, begin, (_, like) => zeros(like.shape));
  await train("from the start", 0, {
    p: treeOf(peft, begin, (_, t) => copy(t)),
    m: none,
    v: treeOf(peft, begin, (_, like) => zeros(like.shape)),
  });

  const middle = (await load("checkpoint-10")).parameters();
  const moments = (name: string): AdapterParameters => treeOf(peft, middle, (key) => copy(ref.get(`resume.${name}.${key}`)!));
  await train("resumed", run.steps / 2, { p: treeOf(peft, middle, (_, t) => copy(t)), m: moments("exp_avg"), v: moments("exp_avg_sq") });
  step.dispose();
  return check.outcome();
}
