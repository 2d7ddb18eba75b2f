import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { openWeights } from "../../packages/io-safetensors/src/node/index.js";
import { runExample } from "../../scripts/run-example.mjs";

const fixtures = fileURLToPath(new URL("../../fixtures/peft/", import.meta.url));
const code = readFileSync(new URL("merge.ts", import.meta.url), "utf8");
const folder = mkdtempSync(join(tmpdir(), "weft-node-merge-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** f32 tensors with the distance of their largest difference. */
function distance(a: Uint8Array, b: Uint8Array): number {
  const [x, y] = [a, b].map((bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)) as [
    Float32Array,
    Float32Array,
  ];
  expect(x.length).toBe(y.length);
  return x.reduce((worst, v, i) => Math.max(worst, Math.abs(v - y[i]!)), 0);
}

describe("examples/node-merge", () => {
  it.each(["llama_lora", "llama_dora_all_linear", "llama_embed"])("merges %s into the weights that PEFT made", async (name) => {
    const out = join(folder, name);
    const { status, stderr } = await runExample(code, [join(fixtures, "llama_base"), join(fixtures, name), out]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const [merged, base, peft] = await Promise.all([
      openWeights(out),
      openWeights(join(fixtures, "llama_base")),
      openWeights(join(fixtures, name, "case.safetensors")),
    ]);
    const expected = [...peft.names()].filter((tensor) => tensor.startsWith("merged."));
    expect(expected.length).toBeGreaterThan(0);
    for (const tensor of expected) {
      const [ours, theirs] = await Promise.all([merged.read(tensor.slice("merged.".length)), peft.read(tensor)]);
      // Weights are below 4 and sums have at most 4 terms: a few units in the last place of f32.
      expect(distance(ours.data, theirs.data), tensor).toBeLessThan(2e-6);
    }
    expect(new Set(merged.names())).toEqual(new Set(base.names()));
    for (const tensor of base.names()) {
      if (peft.has(`merged.${tensor}`)) continue;
      expect(Buffer.compare((await merged.read(tensor)).data, (await base.read(tensor)).data), `${tensor} is left as it was`).toBe(0);
    }
    await Promise.all([merged.close(), base.close(), peft.close()]);
  });

  it("writes nothing for what cannot be merged", async () => {
    const out = join(folder, "refused");
    const { status, stderr } = await runExample(code, [join(fixtures, "llama_base"), join(fixtures, "llama_alora"), out]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/cannot be merged/);
    expect(existsSync(out)).toBe(false);
  });

  it("stops at an adapter of another model and names what does not fit", async () => {
    const { status, stderr } = await runExample(code, [join(fixtures, "llama_base"), join(fixtures, "lora_linear"), join(folder, "none")]);
    expect(status).toBe(1);
    expect(stderr).toContain("lin0: not in the base");
  });
});
