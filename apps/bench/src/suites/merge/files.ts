import { createHash } from "node:crypto";
import { closeSync, copyFileSync, fsyncSync, mkdirSync, openSync, readdirSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";

/** SHA-256 of every safetensors file of a folder, by name. */
export function hashFolder(folder: string): Map<string, string> {
  const buffer = Buffer.alloc(8 << 20);
  const hashes = new Map<string, string>();
  for (const name of weightFiles(folder)) {
    const hash = createHash("sha256");
    const fd = openSync(join(folder, name), "r");
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) hash.update(buffer.subarray(0, read));
    closeSync(fd);
    hashes.set(name, hash.digest("hex"));
  }
  return hashes;
}

export function sameHashes(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size > 0 && a.size === b.size && [...a].every(([name, hash]) => b.get(name) === hash);
}

const weightFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".safetensors"))
    .toSorted();

/** The least that any merge must do: copies the weights and waits until they are on the disk, as `weft merge` does. @returns seconds */
export function timeCopy(from: string, to: string): number {
  const start = performance.now();
  mkdirSync(to, { recursive: true });
  for (const name of weightFiles(from)) {
    copyFileSync(join(from, name), join(to, name));
    const fd = openSync(join(to, name), "r+");
    fsyncSync(fd);
    closeSync(fd);
  }
  const seconds = (performance.now() - start) / 1000;
  rmSync(to, { recursive: true });
  return seconds;
}
