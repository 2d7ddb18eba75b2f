import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { tensorsOf } from "./checkpoints.js";
import { FIXTURES } from "./cli.js";

/** Cases of make_peft.py over one small network that PEFT merged. */
export const MERGED_CASES: readonly string[] = readdirSync(join(FIXTURES, "peft")).filter((name) => {
  const files = ["adapter_config.json", "case.safetensors"].map((file) => join(FIXTURES, "peft", name, file));
  if (!files.every((file) => existsSync(file)) || name.startsWith("llama_")) return false;
  return [...tensorsOf(files[1]!).keys()].some((key) => key.startsWith("merged."));
});

/** A case's adapter, what PEFT merged, and its base written as a checkpoint. */
export interface MergedCase {
  readonly adapter: string;
  readonly base: string;
  readonly tolerance: number;
  /** By name in the checkpoint. */
  readonly merged: ReturnType<typeof tensorsOf>;
}

export async function mergedCase(name: string, folder: string): Promise<MergedCase> {
  const adapter = join(FIXTURES, "peft", name);
  const tensors = tensorsOf(join(adapter, "case.safetensors"));
  const under = (prefix: string): ReturnType<typeof tensorsOf> =>
    new Map([...tensors].filter(([key]) => key.startsWith(prefix)).map(([key, tensor]) => [key.slice(prefix.length), tensor]));
  const base = join(folder, `${name}-base`);
  mkdirSync(base);
  const entries = [...under("base.")].map(([key, { dtype, shape, bytes }]) => ({ name: key, dtype: dtype as "F32", shape, data: bytes }));
  await writeSafetensorsFile(join(base, "model.safetensors"), entries);
  const { tolerance } = JSON.parse(readFileSync(join(adapter, "case.json"), "utf8")) as { tolerance: number };
  return { adapter, base, tolerance, merged: under("merged.") };
}
