import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ADAPTER_METHODS } from "@weft/methods";
import { openSafetensors, type WeightSource } from "@weft/io-safetensors";
import { openWeights } from "@weft/io-safetensors/node";
import { MatchError, ShapeError } from "@weft/tensor-core";
import { editDistance, nearestNames } from "@weft/tensor-core/names";
import { describe, expect, test } from "vitest";
import { openAdapterFolder } from "../node/open-adapter-folder.js";
import { openAdapter } from "../open-adapter.js";
import type { OpenedAdapter } from "../opened-adapter.js";
import type { BaseTensors } from "./base-index.js";
import { assertMatch, describeReport } from "./describe-report.js";
import { matchAdapter } from "./match-adapter.js";
import type { MatchReport } from "./match-report.js";

const peft = fileURLToPath(new URL("../../../../fixtures/peft/", import.meta.url));
type Shapes = Record<string, readonly number[]>;

const base = (shapes: Shapes): BaseTensors => ({
  names: () => Object.keys(shapes),
  info: (name) => ({ dtype: name.endsWith("qweight") ? "I32" : "F32", shape: shapes[name]! }),
});

/** An adapter with tensors of these shapes and no data that matters. */
async function adapter(config: object, shapes: Shapes): Promise<OpenedAdapter> {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, (offset += bytes)] };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return openAdapter(
    { config: { peft_type: "LORA", r: 2, ...config }, weights: await openSafetensors(file) },
    { methods: ADAPTER_METHODS },
  );
}
const lora = (path: string, inputs = 6, out = 4, r = 2): Shapes => ({
  [`base_model.model.${path}.lora_A.weight`]: [r, inputs],
  [`base_model.model.${path}.lora_B.weight`]: [out, r],
});

/** The bare base of a fixture case: its `base.` tensors, or the little Llama. */
async function baseOf(name: string): Promise<BaseTensors> {
  const meta = JSON.parse(readFileSync(`${peft}${name}/case.json`, "utf8")) as { base: string; sources?: string };
  if (meta.base === "llama_base") return openWeights(`${peft}llama_base`);
  const source: WeightSource = await openWeights(`${peft}${meta.sources ?? name}/case.safetensors`);
  return {
    names: () => [...source.names()].flatMap((key) => (key.startsWith("base.") ? [key.slice(5)] : [])),
    info: (key) => source.info(`base.${key}`),
  };
}

describe("adapters and bases of the PEFT fixtures", () => {
  const cases = readdirSync(peft).filter((name) => existsSync(`${peft}${name}/adapter_config.json`));
  test.each(cases)("%s: everything fits, nothing is left over", async (name) => {
    const opened = await openAdapterFolder(`${peft}${name}`, { methods: ADAPTER_METHODS });
    const report = await matchAdapter(opened, await baseOf(name));
    expect(report).toMatchObject({ missing: [], mismatched: [], unused: [], rules: [] });
    expect(() => assertMatch(report, opened)).not.toThrow();
    expect(report.matched.length).toBe(opened.modules.size);
    if (opened.method === "LORA") expect(report.matched.every(({ layer }) => layer !== undefined)).toBe(true);
  });

  test("layers are told apart, and have their own rank", async () => {
    const of = async (name: string): Promise<unknown[]> =>
      (await matchAdapter(await openAdapterFolder(`${peft}${name}`, { methods: ADAPTER_METHODS }), await baseOf(name))).matched.map(
        ({ path, layer, config }) => [path, layer!.kind, layer!.transposed ?? false, config["r"], config["loraAlpha"]],
      );
    expect(await of("lora_patterns")).toEqual([
      ["head", "linear", false, 2, 8],
      ["lin0", "linear", false, 4, 2],
      ["lin1", "linear", false, 3, 8],
    ]);
    expect(await of("lora_fan_in_fan_out")).toEqual([
      ["c_attn", "linear", true, 4, 6],
      ["c_proj", "linear", true, 4, 6],
    ]);
    expect((await of("lora_conv3d"))[0]).toEqual(["conv0", "conv3d", false, 4, 6]);
    expect((await of("lora_embedding"))[0]).toEqual(["emb", "embedding", false, 4, 6]);
  });

  test("nested target_parameters find their parameter by shape", async () => {
    const { matched } = await matchAdapter(
      await openAdapterFolder(`${peft}lora_target_parameters`, { methods: ADAPTER_METHODS }),
      await baseOf("lora_target_parameters"),
    );
    expect(matched.map(({ id, weight, layer }) => [id, weight, layer!.kind])).toEqual([
      ["experts.base_layer", "experts.w_up", "parameter"],
      ["experts", "experts.w_down", "parameter"],
    ]);
  });

  test("tensors that replace the base's are listed by name", async () => {
    const of = async (name: string): Promise<unknown[]> =>
      (await matchAdapter(await openAdapterFolder(`${peft}${name}`, { methods: ADAPTER_METHODS }), await baseOf(name))).replaced.map(
        ({ name: target, change }) => [target, change],
      );
    expect(await of("lora_bias_all")).toEqual([
      ["head.bias", "replaced"],
      ["lin0.bias", "replaced"],
    ]);
    expect(await of("llama_embed")).toEqual([["model.embed_tokens.weight", "replaced"]]);
    expect(await of("llama_lora")).toEqual([["lm_head.weight", "replaced"]]);
  });
});

describe("what does not fit", () => {
  test("a shape is reported with what it should be", async () => {
    const opened = await adapter({ base_model_name_or_path: "big" }, lora("layers.0.k_proj", 6, 5));
    const report = await matchAdapter(opened, base({ "layers.0.k_proj.weight": [4, 6] }));
    expect(report.mismatched.map(({ message }) => message)).toEqual([
      "layers.0.k_proj: lora_B is [5,2], base weight is [4,6] → needs [4,2]",
    ]);
    expect(() => assertMatch(report, opened)).toThrowError(ShapeError);
    expect(() => assertMatch(report, opened)).toThrowError(/lora_B is \[5,2\]/);
  });

  test("a missing module is reported with the nearest name", async () => {
    const opened = await adapter({}, { ...lora("layers.0.q_proj"), ...lora("layers.0.qq_proj") });
    const report = await matchAdapter(opened, base({ "layers.0.q_proj.weight": [4, 6], "layers.0.k_proj.weight": [4, 6] }));
    expect(report.matched.map(({ path }) => path)).toEqual(["layers.0.q_proj"]);
    expect(report.missing).toMatchObject([{ path: "layers.0.qq_proj", nearest: ["layers.0.q_proj"] }]);
    expect(() => assertMatch(report, opened)).toThrowError(
      /1 part of the adapter is not in the base\n {2}layers\.0\.qq_proj: not in the base; the nearest name is layers\.0\.q_proj/,
    );
  });

  test("an adapter for another model matches nothing", async () => {
    const opened = await adapter({}, Object.assign({}, ...Array.from({ length: 9 }, (_, i) => lora(`down_blocks.${i}.attentions.to_q`))));
    const report = await matchAdapter(opened, base({ "model.layers.0.self_attn.q_proj.weight": [4, 6] }));
    expect(() => assertMatch(report, opened)).toThrowError(MatchError);
    expect(() => assertMatch(report, opened)).toThrowError(/0 of 9 modules.*\n.*down_blocks\.0[^]*… and 4 more/);
  });

  test("tensors of no use are listed", async () => {
    const opened = await adapter(
      {},
      { ...lora("a.q"), "base_model.model.a.q.lora_magnitude_vector": [4], "base_model.model.a.other": [1] },
    );
    const report = await matchAdapter(opened, base({ "a.q.weight": [4, 6] }));
    expect(report.unused.map(({ name }) => name)).toEqual(["base_model.model.a.other", "base_model.model.a.q.lora_magnitude_vector"]);
    expect(describeReport(report)).toEqual([
      "1 module matched",
      "base_model.model.a.other: not used",
      "base_model.model.a.q.lora_magnitude_vector: not used",
    ]);
  });

  test("hostile names end", async () => {
    const long = "a.".repeat(30_000);
    const report = await matchAdapter(
      await adapter({ modules_to_save: ["b"] }, { ...lora(`${long}q`), ...lora("k") }),
      base({ [`${long}k.weight`]: [4, 6], "k.weight": [4, 6] }),
    );
    expect(report.unused.length).toBe(2);
  });

  test("half an adapter is not enough", async () => {
    await expect(adapter({ use_dora: true }, lora("a.q"))).rejects.toMatchObject({
      kind: "missing-tensor",
      message: expect.stringMatching(/^a\.q: .*lora_magnitude_vector.* is not/) as unknown,
    });
  });

  test("parameters of one shape are not guessed", async () => {
    const opened = await adapter({ target_parameters: ["e.up", "e.down"] }, { ...lora("e", 6, 4, 6), ...lora("e.base_layer", 6, 4, 6) });
    const report = await matchAdapter(opened, base({ "e.up": [3, 4, 6], "e.down": [3, 4, 6] }));
    expect(report.matched).toEqual([]);
    expect(report.mismatched).toMatchObject([{ message: expect.stringMatching(/which of up, down/) as unknown }, {}]);
  });
});

describe("weights whose shapes fit either way", () => {
  const turned = (report: MatchReport): unknown => report.matched.map(({ path, layer }) => [path, layer!.transposed === true]);

  test("square experts: by what the model is, and which PEFT it was", async () => {
    const of = async (version: string | null, type?: string): Promise<unknown> => {
      const opened = await adapter({ target_parameters: ["e.up"], peft_version: version }, lora("e", 6, 6, 6));
      const report = await matchAdapter(opened, base({ "e.up": [3, 6, 6] }), type === undefined ? {} : { model: { model_type: type } });
      return report.mismatched.length > 0 ? "refused" : (report.matched[0]!.layer!.transposed ?? false);
    };
    expect([await of("0.21.2", "qwen3_moe"), await of("0.21.2", "gpt_oss"), await of("0.17.1", "gpt_oss")]).toEqual([false, true, true]);
    expect([await of("0.21.2"), await of("0.18.0", "qwen3_moe"), await of(null, "qwen3_moe")]).toEqual(["refused", "refused", "refused"]);
  });
  test("square experts: by a stack beside them that is not square", async () => {
    const both = { ...lora("experts.base_layer", 6, 12, 6), ...lora("experts", 6, 6, 6) };
    const opened = await adapter({ target_parameters: ["experts.gate_up_proj", "experts.down_proj"] }, both);
    const of = async (gate: readonly number[]): Promise<unknown> =>
      turned(await matchAdapter(opened, base({ "experts.gate_up_proj": gate, "experts.down_proj": [3, 6, 6] })));
    expect(await of([3, 6, 12])).toEqual([["experts", true], ["experts", true]]); // prettier-ignore
    expect(await of([3, 12, 6])).toEqual([["experts", false], ["experts", false]]); // prettier-ignore
    const down = await adapter({ target_parameters: ["experts.down_proj"], peft_version: "0.21.2" }, lora("experts", 6, 6, 6));
    expect(turned(await matchAdapter(down, base({ "experts.gate_up_proj": [3, 6, 12], "experts.down_proj": [3, 6, 6] })))).toEqual([["experts", true]]); // prettier-ignore
  });

  const gpt2 = { "h.0.attn.c_attn.weight": [6, 18], "h.0.attn.c_proj.weight": [6, 6], "h.0.mlp.c_proj.weight": [24, 6], "lm_head.weight": [9, 6] } as const; // prettier-ignore
  test("the flag of the file holds for all modules unless shapes show that it does not", async () => {
    const square = (flag: boolean, others: Shapes): Promise<OpenedAdapter> => adapter({ fan_in_fan_out: flag }, { ...lora("h.0.attn.c_proj", 6, 6), ...others }); // prettier-ignore
    expect(turned(await matchAdapter(await square(true, {}), base(gpt2)))).toEqual([["h.0.attn.c_proj", true]]);
    const head = await matchAdapter(await square(true, lora("lm_head", 6, 9)), base(gpt2));
    expect(head.mismatched).toMatchObject([
      { message: expect.stringMatching(/attn\.c_proj\.weight: nothing tells .* model_type/) as unknown },
    ]);
    const opened = await square(false, { ...lora("lm_head", 6, 9), ...lora("h.0.mlp.c_proj", 24, 6) });
    expect(turned(await matchAdapter(opened, base(gpt2)))).toContainEqual(["h.0.attn.c_proj", true]);
  });
  test("a bias beside a weight that is not square tells, and so does the model", async () => {
    const opened = await adapter({ fan_in_fan_out: false }, lora("h.0.attn.c_proj", 6, 6));
    expect(turned(await matchAdapter(opened, base({ ...gpt2, "h.0.mlp.c_proj.bias": [6] })))).toEqual([["h.0.attn.c_proj", true]]);
    expect(turned(await matchAdapter(opened, base(gpt2), { model: { model_type: "gpt2" } }))).toEqual([["h.0.attn.c_proj", true]]);
    expect(turned(await matchAdapter(opened, base(gpt2)))).toEqual([["h.0.attn.c_proj", false]]);
  });
});

describe("paths that differ by a prefix", () => {
  const found = async (path: string, target: string): Promise<unknown> => {
    const report = await matchAdapter(await adapter({}, lora(path)), base({ [`${target}.weight`]: [4, 6], "other.weight": [1] }));
    return [report.matched.map((m) => m.path), report.rules];
  };
  test("added", async () => {
    expect(await found("encoder.layer.0.query", "bert.encoder.layer.0.query")).toEqual([
      ["bert.encoder.layer.0.query"],
      [{ strip: "", add: "bert." }],
    ]);
  });
  test("taken off", async () => {
    expect(await found("model.layers.0.q_proj", "layers.0.q_proj")).toEqual([["layers.0.q_proj"], [{ strip: "model.", add: "" }]]);
  });
  test("moved, as transformers did", async () => {
    expect(await found("language_model.model.layers.0.q_proj", "model.language_model.layers.0.q_proj")).toEqual([
      ["model.language_model.layers.0.q_proj"],
      [{ strip: "language_model.model.", add: "model.language_model." }],
    ]);
  });
  test("a layer's number is never taken for a prefix", async () => {
    expect(await found("layers.0.q_proj", "q_proj")).toEqual([[], []]);
  });
  test("two equally good rules: none is taken, and a given one decides", async () => {
    const opened = await adapter({}, lora("layers.0.q"));
    const towers = base({ "text.layers.0.q.weight": [4, 6], "vision.layers.0.q.weight": [4, 6] });
    expect(await matchAdapter(opened, towers)).toMatchObject({ matched: [], ambiguous: [{ add: "text." }, { add: "vision." }] });
    expect((await matchAdapter(opened, towers, { rule: { strip: "", add: "text." } })).matched.map(({ path }) => path)).toEqual([
      "text.layers.0.q",
    ]);
  });
  test("a head beside the prefixed body keeps its own path", async () => {
    const report = await matchAdapter(
      await adapter({}, { ...lora("layers.0.q"), ...lora("head") }),
      base({ "bert.layers.0.q.weight": [4, 6], "head.weight": [4, 6] }),
    );
    expect(report.matched.map(({ path }) => path)).toEqual(["bert.layers.0.q", "head"]);
  });
});

describe("tensors that replace the base's", () => {
  test("a new head is added, a longer embedding resized, one of another width refused", async () => {
    const opened = await adapter(
      { modules_to_save: ["score"] },
      {
        "base_model.model.score.weight": [3, 6],
        "base_model.model.embed_tokens.base_layer.weight": [12, 6],
        "base_model.model.embed_tokens.lora_embedding_A": [2, 12],
        "base_model.model.embed_tokens.lora_embedding_B": [6, 2],
        "base_model.model.lm_head.weight": [10, 5],
      },
    );
    const report = await matchAdapter(opened, base({ "embed_tokens.weight": [10, 6], "lm_head.weight": [10, 6] }));
    expect(report.replaced.map(({ name, change }) => [name, change])).toEqual([
      ["score.weight", "added"],
      ["embed_tokens.weight", "resized"],
    ]);
    expect(report.matched.map(({ weight, layer }) => [weight, layer!.shape])).toEqual([["embed_tokens.weight", [12, 6]]]);
    expect(report.mismatched).toMatchObject([{ message: "lm_head.weight: the adapter's is [10,5], the base's is [10,6]" }]);
  });

  test("a quantised weight is matched without a check of shapes", async () => {
    const { matched } = await matchAdapter(await adapter({}, lora("a.q")), base({ "a.q.qweight": [1, 4], "a.q.scales": [1, 4] }));
    expect(matched).toMatchObject([{ weight: "a.q.qweight", layer: undefined }]);
  });

  test("grouped convolutions: the groups follow from A", async () => {
    const opened = await adapter(
      {},
      { "base_model.model.c.lora_A.weight": [2, 8, 3, 3], "base_model.model.c.lora_B.weight": [6, 1, 1, 1] },
    );
    const { matched } = await matchAdapter(opened, base({ "c.weight": [6, 4, 3, 3] }));
    expect(matched[0]!.layer).toMatchObject({ kind: "conv2d", conv: { groups: 2 } });
  });
});

test("nearest names", () => {
  expect(editDistance("kitten", "sitting", 10)).toBe(3);
  expect(editDistance("kitten", "sitting", 2)).toBeGreaterThan(2);
  expect(nearestNames("q_proj", ["k_proj", "o_proj_long", "q_prj", "unrelated_module_name"], 2)).toEqual(["k_proj", "q_prj"]);
  expect(nearestNames("q_proj", ["a_completely_different_name"])).toEqual([]);
});

describe("values that transformers rearranges on loading", () => {
  test.each([
    [
      "gradium_phonon_tts",
      "layers.0.self_attn.q_proj",
      { "layers.0.self_attn.in_proj.weight": [12, 6] },
      /in_proj\.weight, .*\(PermuteForRope\)/,
    ],
    [
      "inkling2_text",
      "layers.0.mlp.experts",
      { "layers.0.mlp.experts.w13_weight": [2, 8, 6], "layers.0.mlp.experts.w2_weight": [2, 6, 4] },
      /w13_weight, .*\(Interleave\)/,
    ],
  ])("%s: %s is refused by the conversion's name, not as absent", async (type, path, shapes, message) => {
    const parameters = path.endsWith("experts") ? { target_parameters: ["experts.gate_up_proj"] } : {};
    const opened = await adapter(parameters, lora(path, 6, 4));
    const report = await matchAdapter(opened, base(shapes as unknown as Shapes), { model: { model_type: type } });
    expect(report.missing).toEqual([]);
    expect(report.matched).toEqual([]);
    expect(report.mismatched).toEqual([{ path, message: expect.stringMatching(message) as unknown }]);
  });
});
