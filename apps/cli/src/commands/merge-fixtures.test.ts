import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromCoreDType, type SafetensorsDType } from "@weft/io-safetensors";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { beforeAll, describe, expect, it } from "vitest";
import { valuesOf } from "../files/values.js";
import { checkpointOf, tensorsOf } from "../testing/checkpoints.js";
import { buildProgram, FIXTURES, spawnWeft, temporaryFolder } from "../testing/cli.js";

const folder = temporaryFolder();
beforeAll(buildProgram);

/** Cases of a suite as `suite/name`, that are an adapter on a base of their own or the shared Llama. */
const casesOf = (suite: string, wanted: (config: { readonly [field: string]: unknown }) => boolean): string[] =>
  readdirSync(join(FIXTURES, suite))
    .map((name) => join(suite, name))
    .filter((name) => existsSync(join(FIXTURES, name, "case.safetensors")) && existsSync(join(FIXTURES, name, "adapter_config.json")))
    .filter((name) => wanted(JSON.parse(readFileSync(join(FIXTURES, name, "adapter_config.json"), "utf8"))));

const cases = [
  ...casesOf("peft", ({ peft_type }) => peft_type === "LORA").filter((name) => !name.startsWith(join("peft", "weighted_"))),
  // What GLoRA makes of a bias with C needs the weight at the same time.
  ...casesOf("variants", ({ peft_type, config_C }) => peft_type !== "GLORA" || config_C === "none"),
];

/** The base of a case as a checkpoint of its own, or the shared Llama. */
async function baseOf(name: string): Promise<string> {
  const { base = "" } = JSON.parse(readFileSync(join(FIXTURES, name, "case.json"), "utf8")) as { base?: string };
  if (existsSync(join(FIXTURES, "peft", base, "config.json"))) return join(FIXTURES, "peft", base);
  const at = join(folder, name, "base");
  mkdirSync(at, { recursive: true });
  const tensors = [...tensorsOf(join(FIXTURES, name, "case.safetensors"))].flatMap(([key, { dtype, shape, bytes }]) =>
    key.startsWith("base.") ? [{ name: key.slice(5), dtype: dtype as SafetensorsDType, shape, data: new Uint8Array(bytes) }] : [],
  );
  await writeSafetensorsFile(join(at, "model.safetensors"), tensors);
  return at;
}

const values = (t: { readonly dtype: string; readonly bytes: Buffer }): number[] =>
  Array.from(valuesOf(new Uint8Array(t.bytes), t.dtype as SafetensorsDType)!);

/** Largest difference relative to the largest magnitude. */
function error(a: readonly number[], b: readonly number[]): number {
  const size = Math.max(...b.map(Math.abs), 1e-30);
  return Math.max(...a.map((x, i) => Math.abs(x - b[i]!))) / size;
}

describe("weft merge gives the weights that PEFT gives", () => {
  it("finds the cases", () => expect(cases.length).toBeGreaterThan(60));

  it.each(cases)("%s", async (name) => {
    const expected = tensorsOf(join(FIXTURES, name, "case.safetensors"));
    const prefixes = [...expected.keys()].some((key) => key.startsWith("merged_safe."))
      ? (["merged.", "merged_safe."] as const)
      : (["merged."] as const);
    if (![...expected.keys()].some((key) => key.startsWith("merged."))) return;
    const base = await baseOf(name);
    const adapter = join(FIXTURES, name);
    for (const prefix of prefixes) {
      const out = join(folder, name, prefix);
      const ran = spawnWeft(["merge", base, "-a", adapter, "-o", out, "--json", ...(prefix === "merged_safe." ? ["--safe"] : [])]);
      expect(ran.code, ran.stdout).toBe(0);
      const merged = checkpointOf(out);
      for (const [key, want] of expected) {
        if (!key.startsWith(prefix)) continue;
        const got = merged.get(key.slice(prefix.length));
        expect(got, key).toBeDefined();
        expect(got!.dtype, key).toBe(want.dtype);
        expect(got!.shape, key).toEqual(want.shape);
        // torch decomposes in f32.
        const tolerance = name.includes("bf16") ? 1e-2 : name.endsWith("_init") ? 1e-5 : 1e-6;
        // Stored in 16 bits LoRA's result is PEFT's bit for bit; norms (DoRA) and convolutions are sums whose order torch chooses.
        const exact = want.dtype !== fromCoreDType("f32") && name.startsWith("peft") && !name.includes("dora");
        if (exact) expect(got!.bytes.equals(want.bytes), key).toBe(true);
        else expect(error(values(got!), values(want)), key).toBeLessThan(tolerance);
      }
    }
  });
});

it("several adapters add up in order", async () => {
  const name = join("peft", "multi_adapter");
  const source = join(FIXTURES, name);
  expect(existsSync(join(source, "a/adapter_config.json"))).toBe(true);
  const base = await baseOf(name);
  const adapters = ["a", "b"].map((part) => {
    const to = join(folder, name, part);
    cpSync(join(source, part), to, { recursive: true });
    return to;
  });
  const out = join(folder, name, "out");
  const ran = spawnWeft(["merge", base, "-a", adapters[0]!, "-a", `${adapters[1]!}:1.0`, "-o", out]);
  expect(ran.code, ran.stderr).toBe(0);
  const expected = tensorsOf(join(source, "case.safetensors"));
  const merged = checkpointOf(out);
  const keys = [...expected.keys()].filter((key) => key.startsWith("merged."));
  expect(keys.length).toBeGreaterThan(1);
  for (const key of keys) expect(error(values(merged.get(key.slice(7))!), values(expected.get(key)!)), key).toBeLessThan(1e-6);
});
