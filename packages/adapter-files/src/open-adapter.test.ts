import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ADAPTER_METHODS } from "@weft/methods";
import { WeftError } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import { openAdapterFolder } from "./node/open-adapter-folder.js";
import type { OpenedAdapter } from "./opened-adapter.js";

const fixtures = fileURLToPath(new URL("../../../fixtures/", import.meta.url));
const cases = (readdirSync(`${fixtures}peft`, { recursive: true }) as string[])
  .filter((name) => name.endsWith("adapter_config.json"))
  .map((name) => name.slice(0, -"/adapter_config.json".length))
  .sort();
const open = (name: string): Promise<OpenedAdapter> => openAdapterFolder(`${fixtures}peft/${name}`, { methods: ADAPTER_METHODS });
const shapes = (tensors: OpenedAdapter["biases"]): Record<string, readonly number[]> =>
  Object.fromEntries([...tensors].map(([key, { shape }]) => [key, shape]));

interface Case {
  layers?: Record<string, { type: string }>;
}

describe("adapters that PEFT wrote", () => {
  test.each(cases)("%s: every tensor has its place", async (name) => {
    const adapter = await open(name);
    const { modules, shared, modulesToSave, biases, embeddings, trainableTokens, unknown, warnings, weights } = adapter;
    expect(unknown).toEqual([]);
    expect(warnings).toEqual([]);
    const placed = [
      ...[...modules.values()].map(({ tensors }) => tensors),
      shared,
      modulesToSave,
      biases,
      embeddings,
      trainableTokens,
    ].flatMap((group) => [...group.values()].map((tensor) => tensor.name));
    expect(placed.sort()).toEqual([...weights.names()].sort());
    const meta = `${fixtures}peft/${name}/case.json`;
    const { layers } = existsSync(meta) ? (JSON.parse(readFileSync(meta, "utf8")) as Case) : {};
    if (layers) expect([...modules.values()].filter(({ path }) => !(path in layers))).toEqual([]);
    await weights.close();
  });

  test("parameters go by module and by the name behind it", async () => {
    const { modules, method, dialect } = await open("lora_dora_embedding");
    expect([method, dialect, [...modules.keys()]]).toEqual(["LORA", "peft", ["emb", "lin0"]]);
    expect(shapes(modules.get("emb")!.tensors)).toEqual({
      lora_embedding_A: [4, 29],
      lora_embedding_B: [24, 4],
      lora_magnitude_vector: [24],
    });
    expect(shapes(modules.get("lin0")!.tensors)).toEqual({
      "lora_A.weight": [4, 24],
      "lora_B.weight": [40, 4],
      lora_magnitude_vector: [40],
    });
  });

  test("biases, modules to save, frozen embeddings and tokens are told from deltas", async () => {
    expect(shapes((await open("lora_bias_all")).biases)).toEqual({ "lin0.bias": [40], "head.bias": [10] });
    expect(shapes((await open("lora_modules_to_save")).modulesToSave)).toEqual({ "head.weight": [10, 24], "head.bias": [10] });
    expect(shapes((await open("llama_embed")).embeddings)).toEqual({ "model.embed_tokens.weight": [64, 32] });
    expect(shapes((await open("lora_trainable_tokens")).trainableTokens)).toEqual({ emb: [3, 24] });
    expect(shapes((await open("vera_saved")).shared)).toEqual({ vera_A: [4, 40], vera_B: [40, 4] });
    expect(shapes((await open("llama_prompt_tuning")).shared)).toEqual({ prompt_embeddings: [4, 32] });
  });

  test("several parameters of one module keep apart", async () => {
    const { modules } = await open("lora_target_parameters");
    expect([...modules].map(([key, { path, depth, tensors }]) => [key, path, depth, tensors.get("lora_A.weight")!.shape])).toEqual([
      ["experts.base_layer", "experts", 1, [12, 16]],
      ["experts", "experts", 0, [12, 10]],
    ]);
  });
});

interface Malformed {
  file: string;
  format: string;
  expect: "accept" | "reject" | "either";
  kinds: string[];
}
const malformed = (JSON.parse(readFileSync(`${fixtures}malformed/manifest.json`, "utf8")) as { files: Malformed[] }).files.filter(
  ({ format }) => format === "adapter",
);

describe("malformed adapters", () => {
  test.each(malformed.map((entry) => [entry.file, entry] as const))("%s", async (file, { expect: expected, kinds }) => {
    const outcome = await openAdapterFolder(`${fixtures}malformed/${file.replace("/adapter_config.json", "")}`, {
      methods: ADAPTER_METHODS,
    }).then(
      () => "accept",
      (error: unknown) => (error instanceof WeftError ? error.kind : String(error)),
    );
    expect(expected === "accept" ? ["accept"] : expected === "reject" ? kinds : ["accept", ...kinds]).toContain(outcome);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test("a look-ahead in target_modules is a warning, since the tensors name the modules", async () => {
    const { modules, warnings } = await openAdapterFolder(`${fixtures}malformed/adapter/any_lookahead`, { methods: ADAPTER_METHODS });
    expect(modules.size).toBeGreaterThan(0);
    expect(warnings).toEqual([
      { kind: "unsafe-pattern", message: expect.stringMatching(/lookahead.*taken from the adapter's tensors/) as unknown },
    ]);
  });

  test("unknown fields are told once", async () => {
    const { warnings } = await openAdapterFolder(`${fixtures}malformed/adapter/ok_unknown_field`, { methods: ADAPTER_METHODS });
    expect(warnings).toEqual([{ kind: "unknown-fields", message: expect.stringMatching(/some_future_field/) as unknown }]);
  });

  test("a folder without an adapter names those of its folders that hold one", async () => {
    await expect(openAdapterFolder(`${fixtures}peft`, { methods: ADAPTER_METHODS })).rejects.toMatchObject({
      kind: "not-found",
      file: `${fixtures}peft`,
      hint: expect.stringMatching(/^adapters are in .*peft\/adalora_conv2d, .*and \d+ more$/) as unknown,
    });
  });
});
