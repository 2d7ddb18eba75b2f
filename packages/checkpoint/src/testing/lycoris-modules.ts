import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tensorsOf } from "./checkpoints.js";
import { FIXTURES } from "./folders.js";
import { type StoredTensor, writeTensors } from "./write-tensors.js";
import { valuesOf } from "../source/values.js";

const HOME = join(FIXTURES, "lycoris/modules");

/** One file of LyCORIS's with a module of every method and layer, a base of diffusers' names, and what LyCORIS makes of it. */
export interface EveryModule {
  /** Names of the cases, by number of the block. */
  readonly cases: readonly string[];
  readonly base: string;
  readonly adapter: string;
  /** By name in the base. */
  readonly expected: ReadonlyMap<string, readonly number[]>;
}

/** Writes such a file, and its base, into a folder. */
export async function everyLycorisModule(folder: string): Promise<EveryModule> {
  // T-LoRA's files lack the factors that training began with.
  const cases = readdirSync(HOME).filter((name) => !name.includes("-tlora-"));
  const [base, adapter, expected] = [new Map<string, StoredTensor>(), new Map<string, StoredTensor>(), new Map<string, number[]>()];
  const values = ({ bytes, dtype }: StoredTensor): ArrayLike<number> => valuesOf(new Uint8Array(bytes), dtype as "F32")!;
  cases.forEach((name, i) => {
    const { key } = JSON.parse(readFileSync(join(HOME, name, "case.json"), "utf8")) as { key: string };
    const tensors = tensorsOf(join(HOME, name, "tensors.safetensors"));
    for (const part of ["weight", "bias"]) {
      const before = tensors.get(part);
      if (!before) continue;
      const change = tensors.get(`file_delta_${part}`) ?? tensors.get(`delta_${part}`);
      const delta = change && values(change);
      base.set(`blocks.${i}.to_out.0.${part}`, before);
      expected.set(
        `blocks.${i}.to_out.0.${part}`,
        Array.from(values(before), (w, at) => w + (delta?.[at] ?? 0)),
      );
    }
    for (const [suffix, tensor] of tensorsOf(join(HOME, name, "adapter.safetensors")))
      adapter.set(suffix.replace(key, `lora_unet_blocks_${i}_to_out_0`), tensor);
  });
  const [checkpoint, file] = [join(folder, "base"), join(folder, "every.safetensors")];
  await writeTensors(join(checkpoint, "model.safetensors"), base);
  await writeTensors(file, adapter);
  return { cases, base: checkpoint, adapter: file, expected };
}

/** Largest |got - want| / (1 + 5·|want|): below the fixtures' atol of 2e-5 it is within their atol and rtol; NaN stays NaN. */
export const gapOf = (got: ArrayLike<number>, want: readonly number[]): number =>
  got.length === want.length ? Math.max(...want.map((w, i) => Math.abs(got[i]! - w) / (1 + 5 * Math.abs(w)))) : Infinity;
