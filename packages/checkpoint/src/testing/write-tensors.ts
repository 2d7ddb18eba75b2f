import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { SafetensorsDType } from "@weft/io-safetensors";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import type { tensorsOf } from "./checkpoints.js";

/** A tensor as `tensorsOf` gives it. */
export type StoredTensor = Omit<ReturnType<typeof tensorsOf> extends Map<string, infer T> ? T : never, "data_offsets">;

/** Floats as a stored tensor. */
export const f32 = (shape: readonly number[], values: (i: number) => number): StoredTensor => ({
  dtype: "F32",
  shape,
  bytes: Buffer.from(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => values(i)).buffer),
});

/** Writes a safetensors file, and the folders above it. */
export async function writeTensors(
  file: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  const data = [...tensors].map(([name, { dtype, shape, bytes }]) => ({ name, dtype: dtype as SafetensorsDType, shape, data: bytes }));
  await writeSafetensorsFile(file, data, { metadata: new Map(Object.entries(metadata)) });
}
