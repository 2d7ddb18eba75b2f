import { LORA } from "@weft/adapters-lora";
import { ADAPTER_METHODS } from "@weft/methods";
import { type AdapterMethod, assertNewLayer, readFields } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";

const layer = { kind: "linear", shape: [4, 6], dtype: "f32", bias: true } as const;

/** What is said of a new adapter with these fields. */
function said(method: AdapterMethod<never>, fields: { readonly [field: string]: unknown }): string[] {
  const warnings: string[] = [];
  assertNewLayer(method, readFields(method.fields, fields) as never, layer, "fc", { onWarning: (text) => warnings.push(text) });
  return warnings;
}
const saidBy = (name: string, fields: { readonly [field: string]: unknown }): string[] => said(ADAPTER_METHODS.get(name)!.method!, fields);

const aboveRank = (field: string, value: number): string =>
  `fc: ${field} is ${value}, but a change of a weight of [4,6] has at most rank 4`;

describe("each method says itself what a layer cannot use", () => {
  const RANKED = "LORA LOHA LOCON TLORA LYCORIS_GLORA HIRA DELORA DEFT VBLORA GLORA LILY POLY UNILORA SUPERTUNING TINYLORA".split(" ");
  it.each(RANKED)("%s a rank above the weight's", (name) => {
    expect(saidBy(name, { r: 5 })).toEqual([aboveRank("r", 5)]);
    expect(saidBy(name, { r: 4 })).toEqual([]);
  });
  it.each<[string, { readonly [field: string]: unknown }, string]>([
    ["ADALORA", { init_r: 5, target_r: 2 }, aboveRank("init_r", 5)],
    ["GRALORA", { r: 6 }, aboveRank("r", 6)],
    ["GRALORA", { r: 4, hybrid_r: 5 }, aboveRank("hybrid_r", 5)],
    ["HRA", { r: 8 }, "fc: r is 8, but 6 reflections give every rotation of 6 features"],
    ["HRA", { r: 3 }, "fc: r is 3, an odd number of reflections: they cannot begin in pairs, without effect"],
    ["OFT", { r: 0, oft_block_size: 4 }, "fc: oft_block_size 4 does not divide 6 features: 2 blocks of 3 are made"],
    ["OSF", { effective_rank: 9 }, "fc: effective_rank is 9, which keeps all 4 directions: nothing is trained"],
    ["LORA", { r: 1, lora_alpha: 0 }, "fc: lora_alpha is 0: the adapter does nothing"],
    ["LOKR", { alpha: -1 }, "fc: alpha is -1: the adapter acts with the opposite sign"],
    ["FOURIERFT", { scaling: 0 }, "fc: scaling is 0: the adapter does nothing"],
    ["RANDLORA", { randlora_alpha: 0 }, "fc: randlora_alpha is 0: the adapter does nothing"],
  ])("%s with %j", (name, fields, warning) => expect(saidBy(name, fields)).toEqual([warning]));
  it.each<[string, { readonly [field: string]: unknown }]>([
    // Each rank trains a number of its own.
    ["VERA", { r: 64 }],
    // What is no strength: alpha bounds the rotation, 0 does not.
    ["DIAG_OFT", { alpha: 0 }],
    // A factor that is too large is stored whole.
    ["LOKR", { r: 64 }],
    ["GLORA", { r: 64, config_A_B: "vector" }],
  ])("%s nothing of %j", (name, fields) => expect(saidBy(name, fields)).toEqual([]));
  it("and so does a method of one's own", () => {
    const own = { ...LORA, name: "OWN", checkNew: ({ r }: { readonly r: number }) => [`r is ${r}`] } as unknown as AdapterMethod<never>;
    expect(said(own, { r: 64 })).toEqual(["fc: r is 64"]);
  });
});
