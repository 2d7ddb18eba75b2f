import { existsSync, readdirSync, readFileSync } from "node:fs";
import { ADAPTER_METHODS } from "@weft/methods";
import { WeftError } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import { readAdapterConfig } from "./read-config.js";
import { pythonFloat, writeAdapterConfig } from "./write-config.js";

const fixtures = new URL("../../../../fixtures/peft/", import.meta.url);
const files = (readdirSync(fixtures, { recursive: true }) as string[]).filter((name) => name.endsWith("adapter_config.json")).sort();
const read = (name: string): string => readFileSync(new URL(name, fixtures), "utf8");
const kindOf = (source: string): string | undefined => {
  try {
    readAdapterConfig(source, { methods: ADAPTER_METHODS });
    return undefined;
  } catch (error) {
    return error instanceof WeftError ? error.kind : String(error);
  }
};

describe("a config that PEFT wrote comes back byte for byte", () => {
  test("there are fixtures", () => {
    expect(files.length).toBeGreaterThan(80);
    expect(existsSync(new URL("target_matching.json", fixtures))).toBe(true);
  });
  test.each(files)("%s", (name) => {
    expect(writeAdapterConfig(readAdapterConfig(read(name), { methods: ADAPTER_METHODS }))).toBe(read(name));
  });
});

describe("reading", () => {
  test("fields have PEFT's defaults and camelCase names", () => {
    const { peftType, values } = readAdapterConfig('{"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"]}', {
      methods: ADAPTER_METHODS,
    });
    expect(peftType).toBe("LORA");
    expect(values).toMatchObject({
      r: 2,
      loraAlpha: 8,
      loraDropout: 0,
      useRslora: false,
      targetModules: ["q_proj"],
      rankPattern: {},
      taskType: null,
      inferenceMode: false,
    });
  });

  test("an object in camelCase is taken as well", () => {
    expect(
      readAdapterConfig({ peftType: "LORA", loraAlpha: 3, targetModules: "all-linear" }, { methods: ADAPTER_METHODS }).values,
    ).toMatchObject({
      loraAlpha: 3,
      targetModules: "all-linear",
    });
  });

  test("unknown fields are kept and written again, also hostile ones", () => {
    const config = readAdapterConfig(
      '{"peft_type": "LORA", "some_future_field": {"b": [1, 2.5], "a": null}, "__proto__": {"polluted": true}}',
      { methods: ADAPTER_METHODS },
    );
    expect([...config.unknown.keys()]).toEqual(["some_future_field", "__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    const written = writeAdapterConfig(config);
    expect(written).toContain('"some_future_field": {\n    "a": null,\n    "b": [\n      1,\n      2.5\n    ]\n  }');
    expect(written).toContain('"__proto__": {\n    "polluted": true\n  }');
  });

  test.each([
    ["[]", "config-schema"],
    ["null", "config-schema"],
    ["{}", "config-schema"],
    ['{"peft_type": "__proto__"}', "config-schema"],
    ['{"peft_type": "lora"}', "config-schema"],
    ['{"peft_type": 3}', "config-schema"],
    ['{"peft_type": "LORA", "r": 0}', "config-schema"],
    ['{"peft_type": "LORA", "r": 1.5}', "config-schema"],
    ['{"peft_type": "LORA", "r": true}', "config-schema"],
    ['{"peft_type": "LORA", "r": 65537}', "config-schema"],
    ['{"peft_type": "LORA", "lora_alpha": 1e999}', "config-schema"],
    ['{"peft_type": "LORA", "lora_alpha": NaN}', "config-json"],
    ['{"peft_type": "LORA", "lora_dropout": 1}', "config-schema"],
    ['{"peft_type": "LORA", "lora_dropout": -0.1}', "config-schema"],
    ['{"peft_type": "LORA", "target_modules": 3}', "config-schema"],
    ['{"peft_type": "LORA", "target_modules": [3]}', "config-schema"],
    ['{"peft_type": "LORA", "rank_pattern": {"q": 0}}', "config-schema"],
    ['{"peft_type": "LORA", "alpha_pattern": {"q": "2"}}', "config-schema"],
    ['{"peft_type": "LORA", "bias": "some"}', "config-schema"],
    ['{"peft_type": "LORA", "task_type": "OTHER"}', "config-schema"],
    ['{"peft_type": "OFT", "target_modules": [1]}', "config-schema"],
    ['{"peft_type": "LORA", "r": 2, "r": 3}', "duplicate-key"],
    ['{"peft_type": "LORA",}', "config-json"],
    [`{"peft_type": "LORA", "x": "${"a".repeat(1 << 20)}"}`, "limit"],
  ])("%.60s… is refused", (source, kind) => {
    expect(kindOf(source)).toBe(kind);
  });

  test("the error names the file, the field, what was expected and what was found", () => {
    expect(() =>
      readAdapterConfig('{"peft_type": "LORA", "r": "2"}', { methods: ADAPTER_METHODS, file: "x/adapter_config.json" }),
    ).toThrowError(/r is "2", expected an integer from 1 to 65536/);
  });
});

test.each([
  [0, "0.0"],
  [-0, "-0.0"],
  [150, "150.0"],
  [0.1, "0.1"],
  [6e-5, "6e-05"],
  [1e-4, "0.0001"],
  [1.5e-10, "1.5e-10"],
  [1e16, "1e+16"],
  [123456789012345680, "1.2345678901234568e+17"],
])("%d is %s in Python", (value, text) => {
  expect(pythonFloat(value)).toBe(text);
});

test("text is written in ASCII, as Python does", () => {
  const config = readAdapterConfig({ peft_type: "LORA", base_model_name_or_path: "café/😀\u007f" }, { methods: ADAPTER_METHODS });
  expect(writeAdapterConfig(config)).toContain('"base_model_name_or_path": "caf\\u00e9/\\ud83d\\ude00\\u007f"');
});
