import { join } from "node:path";
import { compile, type Device, type Tensor } from "@weft/tensor-core";
import { type Hyper, type OptimizerName, optimizerOf, type OptimizerState } from "@weft/training";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";

/** How make_models.py ran an optimiser: constants under torch's names. */
interface Spec {
  readonly lr?: number;
  readonly [field: string]: unknown;
}

/** A run of make_models.py as one here: which optimiser, and the constants that torch has and the fixture leaves to its defaults. */
const RUNS: { readonly [name: string]: readonly [optim: OptimizerName, args?: Hyper] } = {
  adamw: ["adamw_torch"],
  adamw_amsgrad: ["adamw_torch"],
  adam_l2: ["adam"],
  sgd: ["sgd"],
  sgd_momentum: ["sgd"],
  sgd_nesterov: ["sgd"],
  adafactor_fixed: ["adafactor"],
  adafactor_relative: ["adafactor"],
  torch_adafactor: ["torch_adafactor"],
  muon_2d_only: ["muon"],
  lion: ["lion_32bit"],
  adamw8bit: ["adamw_8bit"],
  lion8bit: ["lion_8bit"],
};

/** Single steps in f32 in another order of operations. */
const F32 = 1e-6;
/** Muon iterates in bf16, whose spacing below 1 is 2⁻⁸: each of ten steps may differ by lr · some of these. */
const BF16 = 2e-3;

async function gap(a: Tensor, b: Tensor): Promise<number> {
  const [x, y] = [await a.data(), await b.data()];
  return Math.max(...Array.from(x, (v, i) => Math.abs(v - y[i]!)));
}

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

function hyperOf({ betas, ...rest }: Spec): Hyper {
  const own = Object.entries(rest).filter(([name]) => name !== "lr" && name !== "cls");
  const named = Object.fromEntries(own.map(([name, value]) => [camel(name), value])) as Hyper;
  const [beta1, beta2] = (betas ?? []) as number[];
  return { ...named, ...(betas !== undefined && { beta1: beta1!, beta2: beta2! }) };
}

/** Ten steps of every optimiser as torch and transformers made them, and four of those in eight bits as bitsandbytes did, with their codes. */
export async function runOptimizers(folder: string, device: Device): Promise<Outcome> {
  const check = new Comparison(F32);
  const specs = readJson<{ readonly [name: string]: Spec }>(folder, "spec.json");
  const ref = new Map([
    ...(await readTensors(join(folder, "ref.safetensors"), device)),
    ...(await readTensors(join(folder, "ref_8bit.safetensors"), device)),
  ]);
  for (const [name, [optim, args]] of Object.entries(RUNS)) {
    const spec = specs[name]!;
    const { optimizer, hyper } = optimizerOf(optim, { ...hyperOf(spec), ...args });
    const step = compile(
      (param: Tensor, grad: Tensor, state: OptimizerState, lr: Tensor, t: Tensor) => ({
        ...optimizer.step(param, grad, state, hyper, { lr, step: t }),
      }),
      {
        device,
      },
    );
    const scalar = (x: number): Tensor => device.tensor(Float32Array.of(x), { shape: [] });
    const follow = async (first: string, gradient: string, result: string): Promise<OptimizerState> => {
      let param = ref.get(first)!;
      let state = optimizer.state(param, hyper);
      for (let i = 0; ref.has(`${result}.${i}`); i++) {
        ({ param, state } = await step(param, ref.get(`${gradient}.${i}`)!, state, scalar(spec.lr ?? 0), scalar(i + 1)));
        const want = ref.get(`${result}.${i}`)!;
        if (optim === "muon") check.within(`${result}, step ${i + 1}`, await gap(param, want), BF16);
        else await check.tensors(`${result}, step ${i + 1}`, param, want);
      }
      return state;
    };
    if (name.endsWith("8bit")) {
      const state = await follow(`${name}.p0`, `${name}.g`, `${name}.p`);
      for (const [key, got] of Object.entries(state)) {
        const [a, b] = [await got.data(), await ref.get(`${name}.${key}`)!.data()];
        // A moment on the border between two codes may fall to either side.
        const other = Array.from(b).filter((x, i) => (key.startsWith("state") ? x !== a[i] : Math.abs(x - a[i]!) > F32)).length;
        check.within(`${name}.${key}: elements that differ`, other, key.startsWith("state") ? 4 : 0);
      }
    } else {
      if (ref.has(`${name}.W.0`)) await follow("W0", "gW", `${name}.W`);
      if (ref.has(`${name}.b.0`)) await follow("b0", "gb", `${name}.b`);
    }
    step.dispose();
  }
  return check.outcome();
}
