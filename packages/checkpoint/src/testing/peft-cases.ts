import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { tensorsOf } from "./checkpoints.js";
import { FIXTURES } from "./folders.js";

interface Meta {
  /** Class of the config. */
  readonly method: string;
  /** What was adapted: a small network of the case, or `llama_base`. */
  readonly base: string;
  readonly tolerance: number;
  readonly autocast_adapter_dtype?: boolean;
}

const metaOf = (adapter: string): Meta => JSON.parse(readFileSync(join(adapter, "case.json"), "utf8")) as Meta;

/** Folders of the adapters that PEFT merged, by name of the case. */
const ADAPTERS: ReadonlyMap<string, string> = new Map(
  ["peft", "variants"].flatMap((group) =>
    readdirSync(join(FIXTURES, group)).flatMap((name) => {
      const adapter = join(FIXTURES, group, name);
      const [config, tensors] = ["adapter_config.json", "case.safetensors"].map((file) => join(adapter, file)) as [string, string];
      if (!existsSync(config) || !existsSync(tensors)) return [];
      // Without its indices Uni-LoRA takes them from the order of a model's modules: see merge-methods.test.ts. So does TinyLoRA without its projections.
      const saved = JSON.parse(readFileSync(config, "utf8")) as { save_indices?: boolean; peft_type: string; save_projection?: boolean };
      if (saved.save_indices === false || (saved.peft_type === "TINYLORA" && saved.save_projection === false)) return [];
      return [...tensorsOf(tensors).keys()].some((key) => key.startsWith("merged.")) ? [[name, adapter] as const] : [];
    }),
  ),
);

/** Cases of make_peft.py and make_variants.py that PEFT merged. */
export const MERGED_CASES: readonly string[] = [...ADAPTERS.keys()];

/** The first of them for each method and base. */
export const FIRST_CASES: readonly string[] = [
  ...new Map(
    [...ADAPTERS].toReversed().map(([name, adapter]) => {
      const { method, base } = metaOf(adapter);
      return [`${method} ${base}`, name] as const;
    }),
  ).values(),
];

/** A case's adapter, what PEFT merged, and its base written as a checkpoint. */
export interface MergedCase {
  readonly adapter: string;
  readonly base: string;
  readonly tolerance: number;
  /** The tensors that PEFT's merge changed, by name in the checkpoint. */
  readonly merged: ReturnType<typeof tensorsOf>;
  /** The same of `safe_merge`; empty where the base is in f32. */
  readonly safe: ReturnType<typeof tensorsOf>;
  /** False where PEFT read the adapter with `autocast_adapter_dtype=False`. */
  readonly autocast: boolean;
}

/** Reads a case, and writes its base into a folder. */
export async function mergedCase(name: string, folder: string): Promise<MergedCase> {
  const adapter = ADAPTERS.get(name)!;
  const { base: network, tolerance, autocast_adapter_dtype: autocast = true } = metaOf(adapter);
  const tensors = tensorsOf(join(adapter, "case.safetensors"));
  const under = (prefix: string): ReturnType<typeof tensorsOf> =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, tensor]) => [key.slice(prefix.length), tensor]));
  const expected = { adapter, tolerance, autocast, merged: under("merged."), safe: under("merged_safe.") };
  if (network === "llama_base") return { ...expected, base: join(FIXTURES, "peft", network) };
  const base = join(folder, `${name}-base`);
  mkdirSync(base);
  const entries = [...under("base.")].map(([key, { dtype, shape, bytes }]) => ({ name: key, dtype: dtype as "F32", shape, data: bytes }));
  await writeSafetensorsFile(join(base, "model.safetensors"), entries);
  return { ...expected, base };
}

/** The first value that lies further from PEFT's than `tolerance` of the tensor's largest (at least 1), in words; `equal` if none does. */
export function firstDifference(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): string {
  if (got.length !== want.length) return `${got.length} values, PEFT has ${want.length}`;
  const size = Array.from(want).reduce((top, v) => Math.max(top, Math.abs(v)), 1);
  const wrong = Array.from(want).findIndex((v, i) => !(Math.abs(got[i]! - v) <= tolerance * size));
  return wrong < 0 ? "equal" : `[${wrong}] is ${got[wrong]}, PEFT has ${want[wrong]}`;
}
