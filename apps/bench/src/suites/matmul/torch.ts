import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Python } from "../../peers/python.js";
import type { Engine } from "./engine.js";

/** torch on the CPU, in its own process, which idles while others have their turn. */
export function torchEngine(python: Python, threads: number): Engine {
  const name = `torch ${threads} ${threads === 1 ? "thread" : "threads"}`;
  return {
    name,
    async prepare({ m, k, n, a, b }) {
      const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
      const load = async (what: string, values: Float32Array, shape: number[]): Promise<void> => {
        const file = join(folder, what);
        writeFileSync(file, values);
        await python.call({ cmd: "load", name: what, file, shape, dtype: "f32" });
      };
      await load("a", a, [m, k]);
      await load("b", b, [k, n]);
      const operation = { op: "matmul", args: ["$a", "$b"] };
      return {
        name,
        turn: async (seconds) => (await python.call({ cmd: "time", ...operation, threads, seconds }))["seconds"] as number,
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
