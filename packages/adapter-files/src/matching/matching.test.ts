import { LORA_METHODS, PEFT_METHODS } from "@weft/methods";
import { readFileSync } from "node:fs";
import { type DefaultTargets, WeftError } from "@weft/tensor-core";
import { beforeAll, describe, expect, test } from "vitest";
import { withDefaultTargets } from "./method-targets.js";
import { createModuleConfig, createPatternPicker } from "./pattern-key.js";
import { loadRegexEngine, safeRegex } from "./regex-engine.js";
import { selectParameters } from "./target-parameters.js";
import { selectTargets, type TargetConfig } from "./targets.js";

const defaultsOf = (method: string): DefaultTargets | undefined => PEFT_METHODS.get(method)?.method?.defaultTargets;
const read = (url: string): unknown => JSON.parse(readFileSync(new URL(url, import.meta.url), "utf8"));
interface Outcome {
  pattern: string;
  valid: boolean;
  matched?: string[];
}
const python = read("./fixtures/regex.json") as {
  names: string[];
  patterns: Outcome[];
  unsafe: Outcome[];
  keys: { keys: string[]; picked: (string | null)[] }[];
};
const peft = read("../../../../fixtures/peft/target_matching.json") as {
  module_names: string[];
  targets: { config: Record<string, unknown>; matched: string[] }[];
  pattern_keys: { patterns: string[]; picked: Record<string, string> }[];
};

const kindOf = (run: () => unknown): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof WeftError ? error.kind : String(error);
  }
};
const camel = (config: Record<string, unknown>): TargetConfig =>
  Object.fromEntries(Object.entries(config).map(([name, value]) => [name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase()), value]));

test("before the engine is loaded, a pattern is refused with what to do; names need none", () => {
  expect(() => selectTargets({ targetModules: ".*q_proj" }, ["a.q_proj"])).toThrow(expect.objectContaining({ kind: "regex-not-loaded" }));
  expect(selectTargets({ targetModules: ["q_proj"] }, ["a.q_proj"]).matched).toEqual(["a.q_proj"]);
});

describe("patterns follow Python's re", () => {
  beforeAll(loadRegexEngine);
  test.each(python.patterns.map((p) => [p.pattern, p] as const))("%j", (pattern, { valid, matched }) => {
    if (!valid) return expect(kindOf(() => safeRegex(pattern, "full", "target_modules"))).toBe("config-regex");
    const match = safeRegex(pattern, "full", "target_modules");
    return expect(python.names.filter((name) => match(name))).toEqual(matched);
  });

  test.each(python.unsafe.map((p) => p.pattern))("%j is legal, but not in linear time", (pattern) => {
    expect(kindOf(() => safeRegex(pattern, "full", "target_modules"))).toBe("unsafe-regex");
  });

  test("an over-long pattern is a limit", () => {
    expect(kindOf(() => safeRegex("a".repeat(20_000), "full", "target_modules"))).toBe("limit");
  });
});

describe("get_pattern_key", () => {
  test.each(python.keys.map((k) => [k.keys.join(", "), k] as const))("%s", (_, { keys, picked }) => {
    const pick = createPatternPicker(keys, "rank_pattern");
    expect(python.names.map((name) => pick(name) ?? null)).toEqual(picked);
  });

  test.each(peft.pattern_keys.map((p) => [p.patterns.join(", "), p] as const))("PEFT fixture: %s", (_, { patterns, picked }) => {
    const pick = createPatternPicker(patterns, "rank_pattern");
    const found = peft.module_names.flatMap((name) => (pick(name) === undefined ? [] : [[name, pick(name)]]));
    expect(Object.fromEntries(found)).toEqual(picked);
  });

  test("a key does not break out of its parentheses", () => {
    expect(kindOf(() => createPatternPicker(["a)|(b"], "rank_pattern"))).toBe("config-regex");
  });

  test("patterns replace r and alpha of single modules and keep the config's class", () => {
    class Config {
      r = 8;
      loraAlpha = 16;
      rankPattern = { q_proj: 4 };
      alphaPattern = { "^h.*": 2 };
      get scaling(): number {
        return this.loraAlpha / this.r;
      }
    }
    const of = createModuleConfig({ fields: LORA_METHODS.get("LORA")!.fields, values: new Config() });
    expect([of("h.q_proj").r, of("h.q_proj").loraAlpha, of("h.q_proj").scaling]).toEqual([4, 2, 0.5]);
    expect([of("k_proj").r, of("k_proj").loraAlpha]).toEqual([8, 16]);
  });

  test("too much work ends with a limit", () => {
    const pick = createPatternPicker(
      Array.from({ length: 4000 }, (_, i) => `[a-z]${i}`),
      "rank_pattern",
    );
    expect(kindOf(() => Array.from({ length: 10_000 }, (_, i) => pick(`model.layers.${i}`)))).toBe("limit");
  });
});

describe("choosing modules", () => {
  const modules = peft.module_names.map((path) => ({
    path,
    linear: path.endsWith("_proj") || path === "lm_head",
    outputEmbedding: path === "lm_head",
  }));

  test.each(peft.targets.map((t) => [JSON.stringify(t.config), t] as const))("PEFT fixture: %s", (_, { config, matched }) => {
    expect(selectTargets(camel(config), modules).matched).toEqual(matched);
  });

  test("excluded modules are told apart from modules that do not match", () => {
    const { matched, excluded } = selectTargets(
      { targetModules: ["q_proj", "head"], excludeModules: ["a.q_proj"], modulesToSave: ["head"] },
      ["a.q_proj", "b.q_proj", "head", "head.dense", "headless"],
    );
    expect(matched).toEqual(["b.q_proj"]);
    expect(excluded).toEqual(["a.q_proj", "head", "head.dense"]);
  });

  test('"all-linear" leaves out the head of a classifier', () => {
    const named = ["encoder.q", "score", "encoder.score"].map((path) => ({ path, linear: true }));
    expect(selectTargets({ targetModules: "ALL-LINEAR", taskType: "SEQ_CLS" }, named).matched).toEqual(["encoder.q", "encoder.score"]);
    expect(selectTargets({ targetModules: "all-linear" }, named).matched).toEqual(["encoder.q", "score", "encoder.score"]);
  });

  test("layers_to_transform takes the first index, not that of an expert", () => {
    const names = ["model.layers.1.experts.0.w1", "model.layers.0.experts.1.w1", "layers.1.w1"];
    expect(selectTargets({ targetModules: ["w1"], layersToTransform: 1 }, names).matched).toEqual(["model.layers.1.experts.0.w1"]);
    expect(selectTargets({ targetModules: ["w1"], layersToTransform: [1], layersPattern: "layers" }, names).matched).toEqual([
      "model.layers.1.experts.0.w1",
      "layers.1.w1",
    ]);
    expect(selectTargets({ targetModules: ["w1", "layers.1.w1"], layersToTransform: [7] }, names).matched).toEqual(["layers.1.w1"]);
  });

  test("without targets the model type decides, and without both there is an error", () => {
    const none: TargetConfig = { targetModules: null };
    expect(selectTargets(withDefaultTargets(undefined, none, "gpt2"), ["h.0.c_attn", "h.0.c_proj"]).matched).toEqual(["h.0.c_attn"]);
    // PEFT's OSF takes all linear modules where its table has no entry, also of models that have no type.
    expect(withDefaultTargets(defaultsOf("OSF"), none, "gpt2").targetModules).toEqual(["c_attn", "c_proj"]);
    expect(withDefaultTargets(defaultsOf("OSF"), none, "bert").targetModules).toBe("all-linear");
    expect(withDefaultTargets(defaultsOf("OSF"), none, undefined).targetModules).toBe("all-linear");
    expect(kindOf(() => selectTargets(withDefaultTargets(undefined, none, "constructor"), ["a"]))).toBe("config-schema");
    expect(selectTargets({ targetParameters: ["experts.w"] }, ["experts"]).matched).toEqual([]);
  });

  test("the targets of a method stand in its definition, and the fields that go with them", () => {
    const none = { targetModules: null, feedforwardModules: null };
    const of = (method: string, modelType: string, config: TargetConfig = none): TargetConfig =>
      withDefaultTargets(defaultsOf(method), config, modelType);
    expect(of("IA3", "llama")).toEqual({ targetModules: ["k_proj", "v_proj", "down_proj"], feedforwardModules: ["down_proj"] });
    expect(of("IA3", "mt5")).toEqual({ targetModules: ["k", "v", "wi_1"], feedforwardModules: [] });
    const given = { ...none, feedforwardModules: ["v_proj"] };
    expect(of("IA3", "llama", given)).toMatchObject({ feedforwardModules: ["v_proj"] });
    expect(of("IA3", "chatglm")).toEqual(none);
    expect(of("LN_TUNING", "chatglm")).toEqual(none);
    // Methods with a table of their own for some models, and LoRA's for the others.
    const tables = {
      ADALORA: { bart: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"] },
      ADAMSS: { vit: ["query", "value"] },
      ADAPTION_PROMPT: { gpt2: "attn" },
      C3A: { gpt2: ["mlp.c_proj"] },
      FOURIERFT: { gpt2: ["mlp.c_proj"] },
      FROD: { phi: ["q_proj", "v_proj"] },
      LN_TUNING: { qwen3: ["post_attention_layernorm"] },
      PVERA: { dinov2: ["query", "value"] },
      SHIRA: { phi: ["q_proj", "v_proj"] },
      VBLORA: { t5: ["q", "k", "v", "o", "wi", "wo"] },
      VERA: { phi: ["q_proj", "v_proj"] },
      WAVEFT: { gpt_bigcode: ["mlp.c_proj"] },
    };
    for (const [method, models] of Object.entries(tables))
      for (const [model, targets] of Object.entries(models)) expect(of(method, model).targetModules, method).toEqual(targets);
    expect(of("C3A", "llama").targetModules).toEqual(["q_proj", "v_proj"]);
  });

  test("target_parameters are whole names or dotted suffixes", () => {
    expect(selectParameters(["experts.w_up"], ["net.experts.w_down", "net.experts.w_up", "xexperts.w_up"])).toEqual(["net.experts.w_up"]);
  });

  test("hostile patterns end", () => {
    const names = Array.from({ length: 2000 }, (_, i) => `model.layers.${i}.self_attn.q_projection_of_a_very_long_name`);
    expect(selectTargets({ targetModules: "(.*_?)*x$" }, names).matched).toEqual([]);
    expect(new Set(names.map(createPatternPicker(["([a-z0-9_]+.?)+!$"], "rank_pattern")))).toEqual(new Set([undefined]));
  });
});
