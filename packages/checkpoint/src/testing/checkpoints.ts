import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A copy of a folder in which things can be broken. */
export function copyFolder(from: string, to: string): string {
  mkdirSync(to, { recursive: true });
  cpSync(from, to, { recursive: true });
  return to;
}

/** SHA-256 of every file of a folder, hidden ones, too. */
export function filesOf(folder: string): { readonly [name: string]: string } {
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, hashOf(join(folder, name))]),
  );
}

/** SHA-256 of a file. */
export const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** The tensors of a safetensors file as raw bytes, read without the code under test. */
export function tensorsOf(file: string): Map<string, Entry & { readonly bytes: Buffer }> {
  const content = readFileSync(file);
  const start = 8 + Number(content.readBigUInt64LE(0));
  const header = JSON.parse(content.subarray(8, start).toString()) as Record<string, Entry>;
  return new Map(
    Object.entries(header).flatMap(([name, entry]) =>
      name === "__metadata__"
        ? []
        : [[name, { ...entry, bytes: content.subarray(start + entry.data_offsets[0], start + entry.data_offsets[1]) }]],
    ),
  );
}

/** All tensors of a checkpoint folder. */
export function checkpointOf(folder: string): ReturnType<typeof tensorsOf> {
  return new Map(
    readdirSync(folder)
      .filter((name) => name.endsWith(".safetensors"))
      .flatMap((name) => [...tensorsOf(join(folder, name))]),
  );
}

/** Overwrites bytes of a tensor in its file. */
export function poke(file: string, tensor: string, bytes: Uint8Array, at = 0): void {
  const content = readFileSync(file);
  const start = 8 + Number(content.readBigUInt64LE(0));
  const header = JSON.parse(content.subarray(8, start).toString()) as Record<string, Entry>;
  content.set(bytes, start + header[tensor]!.data_offsets[0] + at);
  writeFileSync(file, content);
}

/** Changes fields of a JSON file. */
export function editJson(file: string, fields: object): void {
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(readFileSync(file, "utf8")) as object), ...fields }, undefined, 2));
}
