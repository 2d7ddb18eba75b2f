import { mkdirSync, rmdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError } from "@weft/tensor-core";
import { ioError } from "@weft/io-safetensors/node";

/** @returns the topmost folder that had to be made @throws ConfigError kind `not-a-folder`; errors of `ioError` */
export function makeFolder(path: string): string | undefined {
  try {
    return mkdirSync(path, { recursive: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST" || code === "ENOTDIR")
      throw new ConfigError(`${path}: the output, or a part of its path, is a file`, {
        kind: "not-a-folder",
        file: path,
        hint: "choose another output folder",
      });
    throw ioError(error, path, "write");
  }
}

/** Removes a folder that was made, and those above it that were made for it, as far as nothing lies in them. */
export function removeFolder(folder: string, created: string | undefined): void {
  if (created === undefined) return;
  for (let path = resolve(folder); path.length >= resolve(created).length && removeEmpty(path); path = dirname(path));
}

/** Removes a folder if nothing is in it. */
export function removeEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    // Somebody else's file lies there; it may stay.
    return false;
  }
}
