import { join } from "node:path";
import { expect } from "vitest";
import { checkpointOf, floats, type StoredTensor, writeTensors } from "@weft/checkpoint/testing";
import { weftBuilt, temporaryFolder } from "./cli.js";

type Tensors = Readonly<Record<string, StoredTensor>>;

/** A folder for a test file's bases, adapters and results, and the program's merge over it. */
export interface MergingFolder {
  /** A path that nothing has yet. */
  fresh(): string;
  /** Writes tensors. @returns where */
  file(tensors: Tensors): Promise<string>;
  /** Merges by the built program, and gives the values of the result by tensor. @param scale as behind an adapter's path */
  merged(base: Tensors, adapter: Tensors, scale?: string): Promise<(name: string) => number[]>;
}

export function mergingFolder(): MergingFolder {
  const folder = temporaryFolder();
  let made = 0;
  const fresh = (): string => join(folder, `${made++}`);
  const file = async (tensors: Tensors): Promise<string> => {
    const path = `${fresh()}.safetensors`;
    await writeTensors(path, new Map(Object.entries(tensors)));
    return path;
  };
  return {
    fresh,
    file,
    async merged(base, adapter, scale = "") {
      const out = fresh();
      const { code, stderr } = await weftBuilt("merge", await file(base), "-a", (await file(adapter)) + scale, "-o", out);
      expect(code, stderr).toBe(0);
      const tensors = checkpointOf(out);
      return (name) => floats(tensors.get(name)!);
    },
  };
}
