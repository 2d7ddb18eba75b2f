import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointOf, tensorsOf } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weftBuilt } from "../testing/cli.js";

const names = join(FIXTURES, "names");
const folder = temporaryFolder();
const floats = ({ bytes }: { readonly bytes: Buffer }): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);

/** Every adapter on every form of its base: what merging changes is in `<adapter>-<form>.safetensors`, which PEFT made. */
const cases = readdirSync(names).flatMap((family) =>
  readdirSync(join(names, family)).flatMap((file) => {
    const [, adapter, form] = /^(.*)-(base|model)\.safetensors$/.exec(file) ?? [];
    return adapter && form ? [{ family, adapter, form }] : [];
  }),
);

/** Whether a merged checkpoint is what PEFT made, and nothing else. */
async function merges(base: string, adapter: string, wanted: string): Promise<void> {
  const out = join(folder, "out");
  rmSync(out, { recursive: true, force: true });
  const { code, stderr } = await weftBuilt("merge", base, "-a", adapter, "-o", out);
  expect(code, stderr).toBe(0);
  const [before, got, want] = [checkpointOf(base), checkpointOf(out), tensorsOf(wanted)];
  expect([...got.keys()].sort()).toEqual([...before.keys()].sort());
  for (const [name, tensor] of got) {
    const expected = floats(want.get(name) ?? before.get(name)!);
    const size = expected.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-6);
    const error = floats(tensor).reduce((worst, v, i) => Math.max(worst, Math.abs(v - expected[i]!)), 0);
    expect(error / size, name).toBeLessThan(1e-5);
  }
}

describe("names that a checkpoint has on disk and a model of transformers has not", () => {
  it.each(cases)("$family: $adapter on $form", async ({ family, adapter, form }) => {
    const at = join(names, family);
    await merges(join(at, form), join(at, adapter), join(at, `${adapter}-${form}.safetensors`));
  });

  it.each(cases.filter(({ family, form }) => form === "base" && !["attention", "gpt2", "gpt-oss", "molmo2"].includes(family)))(
    "$family: $adapter on $form, of which nothing but the names is known",
    async ({ family, adapter, form }) => {
      const [at, base] = [join(names, family), join(folder, `${family}-bare`)];
      cpSync(join(at, form), base, { recursive: true });
      rmSync(join(base, "config.json"));
      await merges(base, join(at, adapter), join(at, `${adapter}-${form}.safetensors`));
    },
  );

  it("parts of a fused projection whose sizes nothing tells are refused with what would", async () => {
    const [base, out] = [join(folder, "molmo2-bare"), join(folder, "none")];
    cpSync(join(names, "molmo2/base"), base, { recursive: true });
    rmSync(join(base, "config.json"));
    const { code, stderr } = await weftBuilt("merge", base, "-a", join(names, "molmo2/parts"), "-o", out);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/q_proj\.weight: the base has it in layers\.0\.self_attn\.att_proj\.weight; .*num_key_value_heads/);
    expect(stderr).not.toContain("not in the base");
    expect(existsSync(out)).toBe(false);
  });
});
