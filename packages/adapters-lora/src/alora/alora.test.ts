import { readFileSync } from "node:fs";
import { compile, type LayerSpec, mergeWeight, ones, referenceDevice, tensor, type Tensor, zeros } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { LORA, LoraConfig, invocationMask, invocationStart, invocationTokens } from "../index.js";

interface Case {
  readonly tokens: readonly number[];
  readonly rows: readonly (readonly number[])[];
  /** Counted from the end; null without an occurrence. */
  readonly offsets: readonly (number | null)[];
}
const cases = JSON.parse(readFileSync(new URL("fixtures/alora.json", import.meta.url), "utf8")) as Case[];
const idsOf = (rows: Case["rows"]): Tensor => tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length] });
const wanted = ({ rows, offsets }: Case): number[] =>
  rows.flatMap((row, i) => row.map((_, t) => (t >= row.length - (offsets[i] ?? 0) ? 1 : 0)));

describe("an activated LoRA acts where PEFT's does", () => {
  it("cases have rows with and without an occurrence", () => {
    const all = cases.flatMap(({ offsets }) => offsets);
    expect(all.filter((o) => o === null).length).toBeGreaterThan(10);
    expect(all.filter((o) => o !== null).length).toBeGreaterThan(10);
  });

  it.each(cases)("tokens $tokens, $rows.0.length ids", async (c) => {
    const mask = invocationMask(idsOf(c.rows), c.tokens);
    expect([mask.shape, mask.dtype]).toEqual([[c.rows.length, c.rows[0]!.length, 1], "bool"]);
    expect([...(await mask.data())]).toEqual(wanted(c));
    const length = c.rows[0]!.length;
    expect(c.rows.map((row) => invocationStart(row, c.tokens))).toEqual(c.offsets.map((o) => (o === null ? undefined : length - o)));
  });

  it("a compiled mask follows its ids", async () => {
    const c = cases.find(({ tokens, rows }) => tokens.length === 2 && rows[0]!.length === 12)!;
    const mask = compile((ids: Tensor) => invocationMask(ids, c.tokens), { device: referenceDevice() });
    for (const row of c.rows) {
      const start = invocationStart(row, c.tokens) ?? row.length;
      expect([...(await (await mask(idsOf([row]))).data())]).toEqual(row.map((_, t) => (t >= start ? 1 : 0)));
    }
    mask.dispose();
  });
});

it("is refused by every merge, and told from a LoRA that acts everywhere", () => {
  const layer: LayerSpec = { kind: "linear", shape: [3, 2], dtype: "f32", bias: false };
  const merge = (config: LoraConfig, options = {}) =>
    mergeWeight(LORA, zeros([3, 2]), { A: ones([1, 2]), B: ones([3, 1]) }, { layer, config, scale: 1 }, options);
  const activated = new LoraConfig({ r: 1, alora_invocation_tokens: [5, 6] });
  for (const options of [{}, { safeMerge: true }, { dtype: "bf16" }]) expect(() => merge(activated, options)).toThrow("cannot be merged");
  expect(invocationTokens(activated)).toEqual([5, 6]);
  for (const plain of [new LoraConfig({ r: 1 }), new LoraConfig({ r: 1, aloraInvocationTokens: [] })]) {
    expect(invocationTokens(plain)).toBeUndefined();
    expect(() => merge(plain)).not.toThrow();
  }
  expect(() => new LoraConfig({ alora_invocation_tokens: "5 6" })).toThrow("alora_invocation_tokens");
});
