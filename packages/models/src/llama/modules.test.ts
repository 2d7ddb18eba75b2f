import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ConfigJson } from "../config-fields.js";
import { fixtureJson } from "../testing.js";
import { readLlamaConfig } from "./config.js";
import { llamaModules, llamaParameters } from "./modules.js";

const { modules } = JSON.parse(readFileSync(new URL("fixtures/llama.json", import.meta.url), "utf8")) as {
  modules: { config: ConfigJson; names: string[]; linear: string[]; parameters: Record<string, number[]> }[];
};

describe.each(modules.map((m) => ({ type: m.config["model_type"] as string, ...m })))("$type", ({ config, names, linear, parameters }) => {
  const read = readLlamaConfig(config);

  test("modules come in the order and under the names of named_modules()", () => {
    expect([...llamaModules(read)].map(([path]) => path)).toEqual(names);
  });

  test("linear layers are those of torch", () => {
    expect([...llamaModules(read)].filter(([, m]) => m.kind === "linear").map(([path]) => path)).toEqual(linear);
  });

  test("parameters have the names and shapes of torch", () => {
    expect(Object.fromEntries(llamaParameters(read))).toEqual(parameters);
  });
});

test("modules that PEFT matches names against", () => {
  const { module_names: names } = fixtureJson("peft/target_matching.json") as { module_names: string[] };
  expect([...llamaModules(readLlamaConfig(fixtureJson("peft/llama_base/config.json")))].map(([path]) => path)).toEqual(names);
});
