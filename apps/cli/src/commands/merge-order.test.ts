import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { readTensor } from "@weft/adapter-files";
import { type HookedModel, PeftModel } from "@weft/registry";
import { loadAdapter } from "@weft/registry/node";
import type { LayerSpec, Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { valuesOf } from "@weft/checkpoint";
import { checkpointOf, FIRST_CASES, mergedCase } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();

/** The small network of the fixtures, of which only the weights count here. */
async function network(base: string): Promise<HookedModel<never, never>> {
  const source = await openWeights(base);
  const weights = new Map<string, Tensor>();
  for (const name of source.names()) weights.set(name, await readTensor(source, name));
  await source.close();
  const over = (tensors: ReadonlyMap<string, Tensor>): HookedModel<never, never> => ({
    weights: tensors,
    layers: () =>
      [...tensors].flatMap(([name, weight]) => {
        if (!name.endsWith(".weight")) return [];
        const path = name.slice(0, -".weight".length);
        const bias = tensors.get(`${path}.bias`);
        const layer: LayerSpec = { kind: "linear", shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined };
        return [{ path, layer, base: { weight, ...(bias && { bias }) } }];
      }),
    namedModules: () => ["lin0", "lin1", "head"].map((path) => [path, { kind: "linear" }] as const),
    withWeights: (changes) => over(new Map([...tensors, ...changes])),
    forward: () => {
      throw new Error("only merged");
    },
  });
  return over(weights);
}

/** What `PeftModel.mergeAndUnload` gives with these adapters at these strengths. */
async function expected(
  base: string,
  adapters: readonly (readonly [path: string, scale: number])[],
): Promise<Map<string, readonly number[]>> {
  const peft = new PeftModel(await network(base), ADAPTER_METHODS);
  for (const [path, scale] of adapters) {
    const name = `${peft.adapterNames.length}`;
    await loadAdapter(peft, path, name);
    // What PEFT's set_scale does to its layers.
    for (const attached of peft.state(name).layers.values()) for (const { context } of attached) Object.assign(context, { scale });
  }
  peft.setAdapter(peft.adapterNames);
  const merged = peft.mergeAndUnload().weights;
  return new Map(await Promise.all([...merged].map(async ([name, tensor]) => [name, [...(await tensor.data())]] as const)));
}

const peft = (name: string): string => join(FIXTURES, "peft", name);

describe("adapters of several methods are merged in order, each at its strength", () => {
  type Order = readonly (readonly [name: string, scale: number])[];
  const ORDERS: { readonly [label: string]: Order } = {
    "LoRA, OFT, IA³": [
      ["lora_linear", 0.8],
      ["oft_linear", 1],
      ["ia3_linear", 1],
    ],
    "IA³, OFT, LoRA": [
      ["ia3_linear", 1],
      ["oft_linear", 1],
      ["lora_linear", 0.8],
    ],
    "LoKr, BOFT, DoRA, LoHa": [
      ["lokr_linear", -0.5],
      ["boft_linear", 0.7],
      ["lora_dora", 1],
      ["loha_linear", 2],
    ],
    "HRA, PiSSA, VeRA, FourierFT": [
      ["hra_linear", 1],
      ["lora_pissa_init", 1],
      ["vera_saved", 0.3],
      ["fourierft", 1],
    ],
  };

  it.each(Object.entries(ORDERS))("%s", async (label, adapters) => {
    const { base } = await mergedCase("lora_linear", temporaryFolderOf(label));
    const list = adapters.map(([name, scale]) => [peft(name), scale] as const);
    // PEFT changes the base for an initialisation when it loads the adapter: before anything is merged.
    const want = await expected(base, list);
    const out = join(folder, label.replaceAll(/\W+/g, "-"));
    const report = `${out}.json`;
    const args = list.flatMap(([path, scale]) => ["-a", `${path}:${scale}`]);
    const ran = await weftBuilt("merge", base, ...args, "-o", out, "--report", report);
    expect(ran.code, ran.stderr).toBe(0);
    for (const [name, { bytes, dtype }] of checkpointOf(out)) {
      const got = Array.from(valuesOf(new Uint8Array(bytes), dtype as "F32")!);
      const size = Math.max(...want.get(name)!.map(Math.abs));
      const worst = Math.max(...want.get(name)!.map((v, i) => Math.abs(v - got[i]!)));
      expect([name, worst / size < 1e-5]).toEqual([name, true]);
    }
    const before = checkpointOf(base);
    const { tensors } = JSON.parse(readFileSync(report, "utf8")) as { tensors: Line[] };
    for (const { name, what, changeNorm, maxRoundingError } of tensors) {
      if (what !== "merged") continue;
      const was = valuesOf(new Uint8Array(before.get(name)!.bytes), "F32")!;
      const change = Math.hypot(...want.get(name)!.map((v, i) => v - was[i]!));
      expect([name, Math.abs(changeNorm! - change) <= 1e-4 * change, maxRoundingError]).toEqual([name, true, 0]);
    }
  });

  it("the other order gives something else", async () => {
    const { base } = await mergedCase("lora_linear", temporaryFolderOf("order"));
    const there = await expected(base, [
      [peft("lora_linear"), 1],
      [peft("oft_linear"), 1],
    ]);
    const back = await expected(base, [
      [peft("oft_linear"), 1],
      [peft("lora_linear"), 1],
    ]);
    expect(there.get("lin0.weight")).not.toEqual(back.get("lin0.weight"));
  });
});

describe("adapters that replace rows, and others that change the same tensor", () => {
  /** Trained tokens and a LoRA on one embedding. */
  const pair = ["trainable_tokens", "lora_embedding"] as const;

  it.each([pair, pair.toReversed()])("%s, then %s: as one after the other", async (...names) => {
    const { base } = await mergedCase("trainable_tokens", temporaryFolderOf(names.join()));
    const [first, second] = names.map(peft) as [string, string];
    const [together, half, whole] = ["together", "half", "whole"].map((part) => join(folder, `${names.join("-")}-${part}`)) as [
      string,
      string,
      string,
    ];
    for (const [from, adapters, out] of [
      [base, [first, second], together],
      [base, [first], half],
      [half, [second], whole],
    ] as const) {
      const ran = await weftBuilt("merge", from, ...adapters.flatMap((a) => ["-a", a]), "-o", out);
      expect(ran.code, ran.stderr).toBe(0);
    }
    expect(checkpointOf(together)).toEqual(checkpointOf(whole));
  });

  it("a LoRA behind one that replaces rows beside its factors is refused; before it, it is merged", async () => {
    const { base } = await mergedCase("lora_trainable_tokens", temporaryFolderOf("rows"));
    const [tokens, lora] = [peft("lora_trainable_tokens"), peft("lora_embedding")];
    const refused = await weftBuilt("merge", base, "-a", tokens, "-a", lora, "-o", join(folder, "refused"), "--json");
    expect([refused.code, JSON.parse(refused.stdout)]).toMatchObject([2, { error: { kind: "order", tensor: "emb.weight" } }]);
    expect((await weftBuilt("merge", base, "-a", lora, "-a", tokens, "-o", join(folder, "allowed"))).code).toBe(0);
  });
});

describe("every method heeds the strength, and is in the report", () => {
  const run = async (name: string, scale: number, base: string, adapter: string): Promise<Outcome> => {
    const out = join(folder, `${name}-${scale}`);
    const ran = await weftBuilt("merge", base, "-a", `${adapter}:${scale}`, "-o", out, "--jobs", "1", "--report", `${out}.json`);
    expect(ran.code, ran.stderr).toBe(0);
    const { tensors: report } = JSON.parse(readFileSync(`${out}.json`, "utf8")) as { tensors: Line[] };
    const tensors = [...checkpointOf(out)].map(
      ([key, { bytes, dtype }]) => [key, valuesOf(new Uint8Array(bytes), dtype as "F32")!] as const,
    );
    return { tensors: new Map(tensors), report };
  };

  it.each(FIRST_CASES)("%s", async (name) => {
    const { adapter, base, merged } = await mergedCase(name, temporaryFolderOf(name));
    const [none, full] = [await run(name, 0, base, adapter), await run(name, 1, base, adapter)];
    // What replaces weights, rows or biases does so at any strength, and DoRA's magnitudes are trained ones at any.
    const whole = /dora|_bias_|modules_to_save|tokens|_init/.test(name);
    const before = checkpointOf(base);
    for (const key of whole ? [] : merged.keys()) {
      const was = Array.from(valuesOf(new Uint8Array(before.get(key)!.bytes), before.get(key)!.dtype as "F32")!);
      const size = Math.max(...was.map(Math.abs), 1e-30);
      expect([key, Math.max(...was.map((v, i) => Math.abs(v - none.tensors.get(key)![i]!))) / size < 1e-6]).toEqual([key, true]);
    }
    const lines = full.report.filter(({ what }) => what === "merged" || what === "rows-replaced");
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.some((line) => none.report.find((other) => other.name === line.name)!.sha256 !== line.sha256)).toBe(true);
    for (const line of lines) {
      expect(line.sha256).toMatch(/^[0-9a-f]{64}$/);
      if (line.what === "rows-replaced") continue;
      const [was, is] = [before.get(line.name)!, full.tensors.get(line.name)!];
      const old = valuesOf(new Uint8Array(was.bytes), was.dtype as "F32")!;
      const [change, size] = [Math.hypot(...Array.from(is, (v, i) => v - old[i]!)), Math.hypot(...Array.from(is))];
      // What 16 bits hold differs from the exact change by the rounding.
      const [slack, rounding] = was.dtype === "F32" ? [1e-4 * change, 0] : [0.005 * size, 0.005 * size];
      expect([line.name, Math.abs(line.changeNorm! - change) <= slack, line.maxRoundingError! <= rounding]).toEqual([
        line.name,
        true,
        true,
      ]);
    }
  });
});

interface Line {
  readonly name: string;
  readonly what: string;
  readonly sha256: string;
  readonly changeNorm?: number;
  readonly maxRoundingError?: number;
}

interface Outcome {
  readonly tensors: ReadonlyMap<string, ArrayLike<number>>;
  readonly report: readonly Line[];
}

/** A folder of its own for a case. */
function temporaryFolderOf(label: string): string {
  return mkdtempSync(join(folder, label.replaceAll(/\W+/g, "-")));
}
