import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { callComposite, type Composite, Device, mul, sum, tensor } from "@weft/tensor-core";
import { afterAll, expect, it } from "vitest";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
// Within the package, so that what it imports is found.
const copy = join(root, ".cache", `own-kernel-${process.pid}`);
afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Changes a file of the copy. */
function edit(file: string, change: (text: string) => string): void {
  const path = join(copy, "src", file);
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
}

const ALTERNATING_SUM: Composite = {
  name: "alternatingSum",
  decompose: ([x]) => [sum(mul(x!, tensor(Float32Array.from({ length: x!.shape.at(-1)! }, (_, i) => (i % 2 ? -1 : 1)))), { axes: [-1] })],
};

// docs/adding-a-kernel.md, step by step, in a copy of the package.
it("a kernel is a folder and three lines", async () => {
  mkdirSync(copy, { recursive: true });
  cpSync(join(root, "src"), join(copy, "src"), { recursive: true, filter: (path) => !path.endsWith("generated") });
  cpSync(join(here, "own-kernel"), join(copy, "src/kernels/alternating-sum"), { recursive: true });
  edit("kernels/groups/model.wasm.ts", (text) => `${text}export { alternatingSum } from "../alternating-sum/alternating-sum.wasm";\n`);
  edit("groups/model.ts", (text) =>
    `import { lowerAlternatingSum } from "../kernels/alternating-sum/lower-alternating-sum.js";\n${text}`.replace(
      "composites: { ",
      "composites: { alternatingSum: lowerAlternatingSum, ",
    ),
  );
  edit("lower/composites.ts", (text) =>
    `import { claimsAlternatingSum } from "../kernels/alternating-sum/claims-alternating-sum.js";\n${text}`.replace(
      "new Map<string, CompositeKernel>([",
      'new Map<string, CompositeKernel>([["alternatingSum", { claims: claimsAlternatingSum, group: "model" }], ',
    ),
  );
  const built = spawnSync(process.execPath, [join(root, "scripts/build-wasm.mjs"), copy], { encoding: "utf8" });
  expect(built.stderr).toBe("");

  const { WasmBackend } = (await import(pathToFileURL(join(copy, "src/backend.ts")).href)) as typeof import("../backend.js");
  const backend = new WasmBackend({ threads: 2 });
  const device = new Device(backend);
  const values = Float32Array.from({ length: 2000 * 31 }, (_, i) => Math.sin(i));
  const call = (x: ReturnType<typeof tensor>): ReturnType<typeof tensor> => callComposite(ALTERNATING_SUM, [x])[0]!;
  const got = await call(device.tensor(values, { shape: [2000, 31] })).data();
  const want = await call(tensor(values, { shape: [2000, 31] })).data();
  // Both sum in f64 and round once.
  expect([...got]).toEqual([...want]);
  expect(backend.claims({ name: "alternatingSum", attrs: {}, inputs: [{ shape: [2, 3], dtype: "f32" }] } as never)).toBe(true);
  device.dispose();
});
