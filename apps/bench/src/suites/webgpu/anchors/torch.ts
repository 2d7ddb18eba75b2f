import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Python } from "../../../peers/python.js";
import type { Anchor } from "./anchor.js";

/** torch on CUDA, in a process of its own that idles while others have their turn; f32 without TF32. @returns undefined without CUDA */
export async function torchCudaAnchor(python: Python): Promise<Anchor | undefined> {
  if ((await python.call({ cmd: "cuda" }))["available"] !== true) return undefined;
  const name = "torch cuda";
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
      const load = async (what: string, values: Float32Array, shape: number[]): Promise<void> => {
        const file = join(folder, what);
        writeFileSync(file, values);
        await python.call({ cmd: "load", name: what, file, shape, dtype: "f32", device: "cuda" });
      };
      await load("a", a, [m, k]);
      await load("b", b, [k, n]);
      const operation = { op: "matmul", args: ["$a", "$b"] };
      return {
        name,
        turn: async (seconds) => (await python.call({ cmd: "time", ...operation, seconds, device: "cuda" }))["seconds"] as number,
        async result() {
          const file = join(folder, "c");
          await python.call({ cmd: "save", ...operation, file });
          return new Float32Array(Uint8Array.from(readFileSync(file)).buffer);
        },
        release: () => rmSync(folder, { recursive: true }),
      };
    },
  };
}
