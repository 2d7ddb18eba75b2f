import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS, PEFT_METHODS } from "@weft/methods";
import { toCoreDType } from "@weft/io-safetensors";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { decode } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { checkpointOf, firstDifference, MERGED_CASES, mergedCase, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
const values = ({ bytes, dtype }: { bytes: Buffer; dtype: string }): ArrayLike<number> =>
  decode(new Uint8Array(bytes), toCoreDType(dtype as "F32")!);

describe("weft merge writes what PEFT merged", () => {
  const merged = new Set<string>();

  it.each(MERGED_CASES)("%s", async (name) => {
    const { adapter, base, tolerance, autocast, merged: whole, safe } = await mergedCase(name, folder);
    const opened = await openAdapterFolder(adapter, { methods: ADAPTER_METHODS });
    merged.add(opened.method);
    await opened.weights.close();
    const before = checkpointOf(base);
    for (const [expected, options] of [
      [whole, []],
      [safe, ["--safe"]],
    ] as const) {
      if (expected.size === 0) continue;
      const out = join(folder, name, ...options);
      const held = autocast ? [] : ["--no-autocast-adapter-dtype"];
      const ran = await weftBuilt("merge", base, "-a", adapter, "-o", out, "--jobs", "1", ...options, ...held);
      expect(ran.code, ran.stderr).toBe(0);
      for (const [key, tensor] of checkpointOf(out)) {
        const want = expected.get(key);
        expect([key, tensor.dtype, tensor.shape]).toEqual([key, (want ?? before.get(key)!).dtype, (want ?? before.get(key)!).shape]);
        // KaSA and PSOFT begin with an SVD of the weight, whose last bits are the library's that computes it.
        const exact = !want || (want.dtype !== "F32" && !/kasa|psoft/.test(name));
        if (exact) expect(tensor.bytes.equals((want ?? before.get(key)!).bytes), `the bytes of ${key}`).toBe(true);
        else expect(`${key} ${firstDifference(values(tensor), values(want!), tolerance)}`).toBe(`${key} equal`);
      }
    }
  });

  it.each(["unilora_seeded", "unilora_seeded_long"])("%s: not without the model, in whose order its modules count", async (name) => {
    const adapter = join(FIXTURES, "variants", name);
    const { base } = await mergedCase("unilora_linear", temporaryFolder());
    const ran = await weftBuilt("merge", base, "-a", adapter, "-o", join(folder, name), "--json");
    expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([2, { error: { kind: "needs-model" } }]);
    expect(existsSync(join(folder, name))).toBe(false);
  });

  it("nor the whole tensors beside such modules alone", async () => {
    const [adapter, from] = [join(folder, "unilora_saved"), join(FIXTURES, "variants/unilora_seeded")];
    const { base } = await mergedCase("unilora_linear", temporaryFolder());
    const head = checkpointOf(base).get("head.weight")!;
    const tensors = new Map([...checkpointOf(from), ["base_model.model.head.weight", head] as const]);
    await writeTensors(join(adapter, "adapter_model.safetensors"), tensors);
    const config = JSON.parse(readFileSync(join(from, "adapter_config.json"), "utf8")) as object;
    writeFileSync(join(adapter, "adapter_config.json"), JSON.stringify({ ...config, modules_to_save: ["head"] }));
    const ran = await weftBuilt("merge", base, "-a", adapter, "-o", join(folder, "unilora_saved_out"), "--json");
    expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([2, { error: { kind: "needs-model" } }]);
  });

  it.each([[], ["--safe"]])("not by an index that points outside what it is taken from %s", async (...options: string[]) => {
    const [adapter, from] = [join(folder, "unilora_out"), join(FIXTURES, "variants/unilora_linear")];
    const { base } = await mergedCase("unilora_linear", temporaryFolder());
    const tensors = new Map(checkpointOf(from));
    const [name, indices] = [...tensors].find(([key]) => key.endsWith("lin0.unilora_indices_A"))!;
    const bytes = Buffer.from(indices.bytes);
    bytes.writeBigInt64LE(1_000_000n, 8);
    await writeTensors(join(adapter, "adapter_model.safetensors"), tensors.set(name, { ...indices, bytes }));
    writeFileSync(join(adapter, "adapter_config.json"), readFileSync(join(from, "adapter_config.json")));
    const out = join(folder, "unilora_out_merged");
    const ran = await weftBuilt("merge", base, "-a", adapter, "-o", out, "--json", ...options);
    expect(ran.code, ran.stdout).toBe(2);
    expect(JSON.parse(ran.stdout.trim().split("\n").at(-1)!)).toMatchObject({
      error: { kind: "index", message: expect.stringMatching(/gather: index holds 1000000; allowed are 0 to \d+/) as string },
    });
    expect(existsSync(out)).toBe(false);
  });

  it("for every method of PEFT that merges", () => {
    const methods = [...PEFT_METHODS].filter(([, { method }]) => method && !method.unmergeable).map(([name]) => name);
    expect(methods.length).toBeGreaterThan(20);
    expect(methods.filter((name) => !merged.has(name))).toEqual([]);
    // LyCORIS's own are merged, all in one file, in convert-merge.test.ts.
    expect(ADAPTER_METHODS.size).toBeGreaterThan(PEFT_METHODS.size);
  });
});
