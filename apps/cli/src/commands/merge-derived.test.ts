import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { torchGenerator, torchNormal } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { checkpointOf, tensorsOf } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A checkpoint or adapter of f32 tensors. */
async function write(name: string, entries: readonly Entry[], config?: object): Promise<string> {
  const at = join(folder, name);
  mkdirSync(at, { recursive: true });
  const tensors = entries.map((entry) => ({
    name: entry.name,
    shape: entry.shape,
    dtype: "F32" as const,
    data: new Uint8Array(entry.values.buffer),
  }));
  await writeSafetensorsFile(join(at, config ? "adapter_model.safetensors" : "model.safetensors"), tensors);
  if (config) writeFileSync(join(at, "adapter_config.json"), JSON.stringify(config));
  return at;
}

/** The base of a case, with one tensor's values replaced. */
async function baseOf(
  name: string,
  change: { readonly [tensor: string]: (values: Float32Array, shape: readonly number[]) => Float32Array } = {},
): Promise<string> {
  const entries = [...tensorsOf(join(FIXTURES, name, "case.safetensors"))].flatMap(([key, { shape, bytes }]): Entry[] => {
    if (!key.startsWith("base.")) return [];
    const values = new Float32Array(Uint8Array.from(bytes).buffer);
    return [{ name: key.slice(5), shape, values: change[key.slice(5)]?.(values, shape) ?? values }];
  });
  return write(`base-${Object.keys(change).join()}-${name.replace("/", "-")}`, entries);
}

const refused = async (argv: readonly string[], out: string): Promise<{ readonly kind: string; readonly message: string }> => {
  const ran = await weftBuilt(...argv, "-o", out, "--json");
  expect(ran.code, ran.stdout).toBe(2);
  expect(existsSync(out)).toBe(false);
  return (JSON.parse(ran.stdout.trim().split("\n").at(-1)!) as { error: { kind: string; message: string } }).error;
};
const merge = (base: string, adapter: string, out: string): ReturnType<typeof refused> =>
  refused(["merge", base, "-a", adapter], join(folder, out));

describe("what a file does not hold and the base does not tell is refused", () => {
  it("TinyLoRA without projections on a model whose order of modules is not known", async () => {
    const name = "variants/tinylora_seeded";
    const error = await merge(await baseOf(name), join(FIXTURES, name), "order");
    expect(error).toMatchObject({ kind: "undetermined", message: expect.stringMatching(/order of the model's modules/) });
  });

  it("AdaMSS on another base than the one that it was made on", async () => {
    const name = "variants/adamss_linear";
    const other = await baseOf(name, { "lin0.weight": (values) => torchNormal(torchGenerator(3), values.length, 0, 0.2) });
    const error = await merge(other, join(FIXTURES, name), "another");
    expect(error).toMatchObject({ kind: "undetermined", message: expect.stringMatching(/lin0.*are not those of this weight/) });
  });

  it("AdaMSS whose groups have other sizes", async () => {
    const name = "variants/adamss_linear";
    const at = join(folder, "other-groups");
    cpSync(join(FIXTURES, name), at, { recursive: true });
    const entries = [...tensorsOf(join(FIXTURES, name, "adapter_model.safetensors"))].map(([key, { shape, bytes }]): Entry => {
      const values = new Float32Array(Uint8Array.from(bytes).buffer);
      // One output moves from the first group to the second.
      if (key.endsWith("lin0.adamss_B.0")) return { name: key, shape: [shape[0]! - 1, shape[1]!], values: values.slice(0, -shape[1]!) };
      if (!key.endsWith("lin0.adamss_B.1")) return { name: key, shape, values };
      return { name: key, shape: [shape[0]! + 1, shape[1]!], values: Float32Array.of(...values, ...values.slice(0, shape[1]!)) };
    });
    await write("other-groups", entries, JSON.parse(readFileSync(join(at, "adapter_config.json"), "utf8")) as object);
    const error = await merge(await baseOf(name), at, "sizes");
    expect(error).toMatchObject({ kind: "undetermined", message: expect.stringMatching(/11, 6, 7 outputs.*12, 5, 7/) });
  });

  it("PSOFT on a weight whose singular values are all the same, so that its vectors may be any", async () => {
    const name = "variants/psoft_linear";
    const base = await baseOf(name, {
      "lin0.weight": (values, [, columns]) => values.map((_, i) => (Math.floor(i / columns!) === i % columns! ? 1 : 0)),
    });
    expect(await merge(base, join(FIXTURES, name), "any")).toMatchObject({
      kind: "undetermined",
      message: expect.stringMatching(/lin0: the weight does not determine/),
    });
  });

  it("PSOFT on a weight that takes more than a minute", async () => {
    const [n, r] = [1500, 2];
    const base = await write("large", [{ name: "fc.weight", shape: [n, n], values: new Float32Array(n * n).fill(1) }]);
    const config = { peft_type: "PSOFT", r, psoft_alpha: r, psoft_mag_a: false, psoft_mag_b: false, target_modules: ["fc"] };
    const adapter = await write(
      "large-adapter",
      [{ name: "base_model.model.fc.psoft_R.weight", shape: [1], values: Float32Array.of(0.1) }],
      config,
    );
    expect(await merge(base, adapter, "long")).toMatchObject({
      kind: "too-long",
      message: expect.stringMatching(/1 weights takes up to 1\.1 times/),
    });
  });
});

describe("weft unmerge", () => {
  it("refuses what followed from a base weight that is gone", async () => {
    const name = "variants/psoft_linear";
    const error = await refused(["unmerge", await baseOf(name), "-a", join(FIXTURES, name)], join(folder, "gone"));
    expect(error).toMatchObject({ kind: "not-unmergeable", message: expect.stringMatching(/follow from the base weights/) });
  });

  it("takes TinyLoRA out, whose file holds its factors", async () => {
    const name = "variants/tinylora_linear";
    const [base, merged, again] = [await baseOf(name), join(folder, "tiny"), join(folder, "tiny-base")];
    expect((await weftBuilt("merge", base, "-a", join(FIXTURES, name), "-o", merged)).code).toBe(0);
    expect((await weftBuilt("unmerge", merged, "-a", join(FIXTURES, name), "-o", again)).code).toBe(0);
    const values = (home: string): Float32Array => new Float32Array(Uint8Array.from(checkpointOf(home).get("lin0.weight")!.bytes).buffer);
    const [before, there, after] = [values(base), values(merged), values(again)];
    expect(Math.max(...before.map((x, i) => Math.abs(x - there[i]!)))).toBeGreaterThan(0.01);
    expect(Math.max(...before.map((x, i) => Math.abs(x - after[i]!)))).toBeLessThan(1e-6);
  });
});
