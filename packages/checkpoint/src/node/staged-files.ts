import { mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { ioError, removeStale, syncFolder, temporaryPath } from "@weft/io-safetensors/node";
import { WeftError } from "@weft/tensor-core";
import { makeFolder, removeFolder } from "./make-folder.js";

/**
 * Files that take their names when all of them are complete and checked: until then they lie in a folder of their own below the one that they are for,
 * so that what has their names stays as it is, whatever fails or stops before.
 */
export class StagedFiles {
  /** Where the files go. */
  readonly folder: string;
  /** Where they are until then. */
  readonly path: string;
  private readonly created: string | undefined;

  /** @param name of the folder of their own: one that is found again, or else one that goes with this process */
  constructor(folder: string, name?: string) {
    this.folder = folder;
    this.created = makeFolder(folder);
    removeStale(folder);
    this.path = name === undefined ? temporaryPath(join(folder, "weft")) : join(folder, name);
    try {
      mkdirSync(this.path, { recursive: true });
    } catch (error) {
      throw ioError(error, folder, "write");
    }
  }

  /** Gives the files their names, in this order. */
  publish(files: readonly string[]): void {
    const folders = new Set([this.folder]);
    for (const file of files) {
      const to = join(this.folder, file);
      try {
        mkdirSync(dirname(to), { recursive: true });
        renameSync(join(this.path, file), to);
      } catch (error) {
        throw ioError(error, to, "write");
      }
      folders.add(dirname(to));
    }
    for (const folder of folders) syncFolder(folder);
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Leaves nothing behind but what was there before. */
  discard(): void {
    rmSync(this.path, { recursive: true, force: true });
    removeFolder(this.folder, this.created);
  }

  /** An error as it would be if the files had been written under their names. */
  named(error: unknown): unknown {
    if (!(error instanceof WeftError) || !error.message.includes(this.path)) return error;
    const { code, message, kind, file, tensor, hint, cause } = error;
    const inPlace = (text: string): string => text.replaceAll(this.path, this.folder);
    return new WeftError(code, inPlace(message), {
      kind,
      ...(file !== undefined && { file: inPlace(file) }),
      ...(tensor !== undefined && { tensor }),
      ...(hint !== undefined && { hint }),
      cause,
    });
  }
}
