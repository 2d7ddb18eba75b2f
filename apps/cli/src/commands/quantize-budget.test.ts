import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf, editJson, makeLlama } from "@weft/checkpoint/testing";
import { dequantize, fourBit, quantize } from "@weft/quant-nf4-awq";
import { decode } from "@weft/tensor-core";
import { spawnWeft, temporaryFolder } from "../testing/cli.js";

const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, `out-${made++}`);

interface Layer {
  readonly name: string;
  readonly format: string;
  readonly bytes: number;
  readonly error: number;
}
interface Result {
  readonly bytes: number;
  readonly layers: readonly Layer[];
}
const done = (args: readonly string[]): Result => {
  const { code, stdout, stderr } = spawnWeft(["quantize", base, ...args, "--json"]);
  expect([code, stderr]).toEqual([0, expect.anything()]);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Result;
};

let base: string;
let text: string;
beforeAll(() => {
  ({ base } = makeLlama(folder, { layers: 2, hidden: 256, intermediate: 512, shards: 1 }));
  const vocab = Object.fromEntries(["w", "Ġ", ...Array.from({ length: 10 }, (_, i) => `${i}`)].map((letter, i) => [letter, i]));
  const pieces = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
  writeFileSync(join(base, "tokenizer.json"), JSON.stringify({ model: { type: "BPE", vocab, merges: [] }, pre_tokenizer: pieces }));
  editJson(join(base, "config.json"), { max_position_embeddings: 128 });
  text = join(folder, "text.txt");
  writeFileSync(text, Array.from({ length: 100 }, (_, i) => `w${(i * i * 7 + i) % 90}`).join(" "));
});
const sizeOf = (out: string): number =>
  readdirSync(out)
    .filter((name) => name.endsWith(".safetensors"))
    .reduce((sum, name) => sum + statSync(join(out, name)).size, 0);

describe("weft quantize --budget", () => {
  it("a GGUF file: types by their errors, as large as may be; and a page", () => {
    const [out, report] = [`${fresh()}.gguf`, join(folder, "report.html")];
    const result = done(["--budget", "700kB", "--report", report, "-o", out]);
    const size = statSync(out).size;
    expect(size).toBe(result.bytes);
    expect(size).toBeLessThanOrEqual(700_000);
    expect(size).toBeGreaterThan(670_000);
    expect(new Set(result.layers.map(({ format }) => format)).size).toBeGreaterThan(1);
    const page = readFileSync(report, "utf8");
    for (const { name, format, bytes } of result.layers)
      expect(page).toMatch(new RegExp(`<tr><td>${name}</td><td>${format}</td>.*<td class="n">${bytes}</td>`));
    expect(page.match(/<circle [^>]*><title>/g)!.length).toBe(result.layers.length);
    expect(page).not.toMatch(/<script|https?:/);
  });

  it("less than the smallest is refused with the smallest, which is written", () => {
    const out = `${fresh()}.gguf`;
    const { code, stderr } = spawnWeft(["quantize", base, "--budget", "100kB", "-o", out]);
    const least = /\((\d+) bytes\)\s*$/m.exec(/the smallest file takes .*/.exec(stderr)![0])![1]!;
    expect([code, existsSync(out)]).toEqual([2, false]);
    expect(done(["--budget", least, "-o", out]).bytes).toBe(Number(least));
    expect(statSync(out).size).toBe(Number(least));
  });

  it("a checkpoint: layers that lose most stay as they are", async () => {
    const out = fresh();
    const result = done(["--to", "nf4", "--budget", "1.4MB", "-o", out]);
    expect(sizeOf(out)).toBe(result.bytes);
    expect(result.bytes).toBeLessThanOrEqual(1_400_000);
    const kept = result.layers.filter(({ error }) => error === 0).map(({ name }) => name.slice(0, -".weight".length));
    const own = result.layers.filter(({ error }) => error > 0);
    expect(own.length).toBeGreaterThan(0);
    const config = JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as {
      quantization_config: { llm_int8_skip_modules: string[] };
    };
    expect(config.quantization_config.llm_int8_skip_modules.sort()).toEqual(kept.filter((path) => path !== "model.embed_tokens").sort());
    expect(kept.length).toBeGreaterThan(2);
    for (const { name, error } of own) {
      const { bytes, shape } = checkpointOf(base).get(name)!;
      const values = Float32Array.from(decode(new Uint8Array(bytes), "bf16"));
      const stored = await dequantize(quantize(values, shape as [number, number], fourBit(), "bf16"));
      const [gap, size] = values.reduce(([g, s], v, i) => [g! + (v - stored[i]!) ** 2, s! + v * v], [0, 0]);
      expect(Math.abs(error / Math.sqrt(gap! / size!) - 1)).toBeLessThan(1e-5);
    }
    const refused = spawnWeft(["quantize", base, "--to", "nf4", "--budget", "1GB", "-o", fresh()]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/with no layer quantised/)]);
  });

  it("errors of weights whose inputs are divided by scales are those of what they stand for", () => {
    const few = ["--calibration", text, "--samples", "2", "--sample-length", "32"];
    const { layers } = done(["--to", "awq", "--group-size", "64", ...few, "--report", join(folder, "awq.html"), "-o", fresh()]);
    for (const { error } of layers) expect(error).toBeLessThan(0.4);
  });

  it("a format is missing, or one too many", () => {
    for (const args of [
      ["-o", fresh()],
      ["--budget", "1MB", "-o", fresh()],
      ["--budget", "1MB", "--to", "q4_k_m", "-o", `${fresh()}.gguf`],
    ])
      expect(spawnWeft(["quantize", base, ...args]).code).toBe(2);
  });
});
