import { readFileSync } from "node:fs";
import { type Params, sizeOf, tensor, type Tensor } from "@weft/tensor-core";
import {
  CARTRIDGE,
  CPT,
  MULTITASK_PROMPT_TUNING,
  P_TUNING,
  PREFIX_TUNING,
  PROMPT_TUNING,
  type PromptConfigFields,
  type PromptMethod,
  type PromptModel,
} from "./index.js";

/** A tensor as make_prompt.py writes it. */
export interface Packed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface PromptCase {
  readonly name: string;
  readonly seed: number;
  readonly config: { readonly [field: string]: unknown };
  readonly start: { readonly [name: string]: Packed };
  readonly params: { readonly [name: string]: Packed };
  readonly saved: { readonly [name: string]: Packed };
  readonly grads: { readonly [name: string]: Packed };
  readonly prompt: readonly Packed[];
  readonly trainable: number;
  readonly tasks?: readonly number[];
  readonly textIds?: readonly number[];
}

interface Fixture {
  readonly models: { readonly [task: string]: PromptModel };
  readonly wordEmbeddings: Packed;
  readonly source: { readonly [name: string]: Packed };
  readonly cases: readonly PromptCase[];
  readonly cptLoss: readonly {
    readonly config: { readonly [field: string]: unknown };
    readonly labels: readonly (readonly number[])[];
    readonly types: readonly (readonly number[])[] | null;
    readonly logits: Packed;
    readonly loss: number;
  }[];
}

export const FIXTURE = JSON.parse(readFileSync(new URL("fixtures/prompt.json", import.meta.url), "utf8")) as Fixture;

export const unpack = ({ shape, values }: Packed): Tensor => tensor(Float32Array.from(values), { shape });
export const unpackAll = (packed: { readonly [name: string]: Packed }): Params =>
  Object.fromEntries(Object.entries(packed).map(([name, p]) => [name, unpack(p)]));

const METHODS: readonly unknown[] = [CARTRIDGE, CPT, MULTITASK_PROMPT_TUNING, P_TUNING, PREFIX_TUNING, PROMPT_TUNING];

/** The method of a config by its `peft_type`. */
export function methodOf(config: { readonly [field: string]: unknown }): PromptMethod<PromptConfigFields> {
  return (METHODS as PromptMethod<PromptConfigFields>[]).find(({ name }) => name === config["peft_type"])!;
}

/** Largest difference to the values of a fixture. */
export async function gap(got: Tensor, want: Packed): Promise<number> {
  if (got.shape.join() !== want.shape.join() || sizeOf(want.shape) !== want.values.length) return Infinity;
  const values = await got.data();
  return want.values.reduce((worst, v, i) => Math.max(worst, Math.abs(Math.fround(v) - values[i]!)), 0);
}
