import { cpSync, existsSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf, filesOf, makeLlama, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import {
  type ModuleTensors,
  QUANT_FILES,
  dequantize,
  quantize,
  type QuantFormat,
  awq,
  fourBit,
  gptq,
  LLM_INT8,
  nvfp4,
  packQuantized,
  scaled,
} from "@weft/quant-nf4-awq";
import { decode } from "@weft/tensor-core";
import { FIXTURES, spawnWeft, startWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, `out-${made++}`);
const DOWN = "model.layers.1.mlp.down_proj";

let base: string;
beforeAll(() => {
  base = makeLlama(folder, { hidden: 256, intermediate: 384 }).base;
});

const read = (tensors: ReadonlyMap<string, StoredTensor>, path: string): ModuleTensors =>
  new Map(
    [...tensors].flatMap(([name, { dtype, shape, bytes }]) =>
      name.startsWith(`${path}.`)
        ? [[name.slice(path.length + 1), { dtype: dtype as "U8", shape, data: new Uint8Array(bytes) }] as const]
        : [],
    ),
  );
const configOf = (out: string): { readonly quantization_config?: { readonly [field: string]: unknown }; readonly torch_dtype?: string } =>
  JSON.parse(readFileSync(join(out, "config.json"), "utf8")) as ReturnType<typeof configOf>;

const CASES: readonly (readonly [args: string, format: QuantFormat, method: string, others: string])[] = [
  ["nf4", fourBit(), "bitsandbytes", "BF16"],
  ["nf4 --double-quant", fourBit({ doubleQuant: true }), "bitsandbytes", "BF16"],
  ["fp4", fourBit({ quantType: "fp4" }), "bitsandbytes", "BF16"],
  ["int8", LLM_INT8, "bitsandbytes", "BF16"],
  ["awq", awq(), "awq", "F16"],
  ["gptq --group-size 64", gptq({ groupSize: 64 }), "gptq", "F16"],
  ["fp8", scaled({ rows: 128, columns: 128 }), "fp8", "BF16"],
  ["w4a16 --group-size 32", packQuantized({ groupSize: 32 }), "compressed-tensors", "BF16"],
  ["w8a16", packQuantized({ bits: 8 }), "compressed-tensors", "BF16"],
  ["nvfp4", nvfp4(), "compressed-tensors", "BF16"],
];

describe("weft quantize", () => {
  it.each(CASES)("--to %s: weights, config and what stays as it is; and back to numbers", async (args, format, method, others) => {
    const [out, back] = [fresh(), fresh()];
    const ran = await weftBuilt("quantize", base, "--to", ...args.split(" "), "-o", out, "--jobs", "1");
    expect(ran.code, ran.stderr).toBe(0);
    const config = configOf(out).quantization_config!;
    expect(config.quant_method).toBe(method);
    const [before, after] = [checkpointOf(base), checkpointOf(out)];
    const original = before.get(`${DOWN}.weight`)!;
    const weight = quantize(Float32Array.from(decode(new Uint8Array(original.bytes), "bf16")), original.shape as [number, number], format);
    const tensors = read(after, DOWN);
    const files = QUANT_FILES.find((one) => one.matches(tensors, config))!;
    const stored = files.read(tensors, { path: DOWN, config });
    expect(stored.shape).toEqual(original.shape);
    for (const [part, bytes] of Object.entries(weight.parts))
      expect([part, Buffer.from(stored.parts[part]!).equals(bytes)]).toEqual([part, true]);
    expect(["model.embed_tokens", "lm_head", "model.norm"].map((path) => after.get(`${path}.weight`)!.dtype)).toEqual([
      others,
      others,
      others,
    ]);
    expect([...before.keys()].filter((name) => after.get(name)?.dtype === others).length).toBe(2 + 5);
    const converted = await weftBuilt("convert", out, "--dtype", "f32", "-o", back);
    expect(converted.code, converted.stderr).toBe(0);
    expect(configOf(back).quantization_config).toBeUndefined();
    const dense = checkpointOf(back);
    expect([...dense.keys()].sort()).toEqual([...before.keys()].sort());
    const values = await dequantize(stored);
    expect(dense.get(`${DOWN}.weight`)!.bytes.equals(Buffer.from(values.buffer, values.byteOffset, values.byteLength))).toBe(true);
  });

  // A tensor is one thread's, whatever it is stored as: one format of each kind, one with scales of scales.
  it.each(["nf4 --double-quant", "gptq --group-size 64", "fp8"])(
    "--to %s writes the same bytes with any number of threads",
    async (args) => {
      const outs = ["1", "3"].map((jobs) => [jobs, fresh()] as const);
      for (const [jobs, out] of outs)
        expect((await weftBuilt("quantize", base, "--to", ...args.split(" "), "-o", out, "--jobs", jobs)).code).toBe(0);
      expect(filesOf(outs[1]![1])).toEqual(filesOf(outs[0]![1]));
    },
  );

  it("leaves layers as they are where asked, and tells the config", async () => {
    const out = fresh();
    expect((await weftBuilt("quantize", base, "--to", "nf4", "--skip", "down_proj", "-o", out)).code).toBe(0);
    expect(
      checkpointOf(out)
        .get(`${DOWN}.weight`)!
        .bytes.equals(checkpointOf(base).get(`${DOWN}.weight`)!.bytes),
    ).toBe(true);
    expect(configOf(out).quantization_config!.llm_int8_skip_modules).toEqual(["lm_head", "model.layers.0.mlp.down_proj", DOWN]);
  });

  it("says what it would write, and writes nothing", async () => {
    const out = fresh();
    const { code, stdout } = await weftBuilt("quantize", base, "--to", "awq", "-o", out, "--dry-run", "--json");
    const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as { bytes: number; quantized: number };
    expect([code, result.quantized, existsSync(out)]).toEqual([0, 14, false]);
    expect((await weftBuilt("quantize", base, "--to", "awq", "-o", out)).code).toBe(0);
    const written = readdirSync(out).filter((name) => name.endsWith(".safetensors"));
    expect(written.reduce((sum, name) => sum + readFileSync(join(out, name)).length, 0)).toBe(result.bytes);
  });

  it("goes on where it was killed, to the same bytes", async () => {
    const large = makeLlama(join(folder, "large"), { layers: 6, hidden: 768, intermediate: 1536, shards: 6 }).base;
    const [whole, killed] = [fresh(), fresh()];
    expect((await weftBuilt("quantize", large, "--to", "nf4", "-o", whole)).code).toBe(0);
    const running = startWeft(["quantize", large, "--to", "nf4", "-o", killed, "--jobs", "1"], { stdio: "ignore" });
    const shards = (): string[] => (existsSync(killed) ? readdirSync(killed).filter((name) => /^model-.*safetensors$/.test(name)) : []);
    while (shards().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    running.kill("SIGKILL");
    await new Promise((resolve) => running.on("exit", resolve));
    expect(existsSync(join(killed, "model.safetensors.index.json"))).toBe(false);
    const again = await weftBuilt("quantize", large, "--to", "nf4", "-o", killed);
    expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/files were done already/)]);
    expect(filesOf(killed)).toEqual(filesOf(whole));
  });
});

/** A copy of the base with one tensor changed. */
async function broken(change: (bytes: Buffer) => void): Promise<string> {
  const at = fresh();
  const file = readdirSync(base).find((name) => name.endsWith(".safetensors") && tensorsOf(join(base, name)).has(`${DOWN}.weight`))!;
  cpSync(base, at, { recursive: true });
  const tensors = new Map(tensorsOf(join(base, file)));
  const { bytes, ...rest } = tensors.get(`${DOWN}.weight`)!;
  const copy = Buffer.from(bytes);
  change(copy);
  tensors.set(`${DOWN}.weight`, { ...rest, bytes: copy });
  await writeTensors(join(at, file), tensors, { format: "pt" });
  return at;
}

describe("what cannot be quantised is said in a line, and nothing is written", () => {
  const refused = async (argv: readonly string[], what: RegExp): Promise<void> => {
    const out = fresh();
    const { code, stderr } = await weftBuilt("quantize", ...argv, "-o", out);
    expect([code, stderr]).toEqual([2, expect.stringMatching(what)]);
    expect(existsSync(out)).toBe(false);
  };
  it.each(["nf4", "awq", "nvfp4", "int8"])("NaN (%s)", async (to) => {
    await refused(
      [await broken((bytes) => bytes.writeUInt16LE(0x7fc0, 2 * (384 * 5 + 7))), "--to", to],
      /down_proj.weight: .*\[5, 7\] is NaN/,
    );
  });
  it("rows that the group does not divide", () =>
    refused([base, "--to", "gptq", "--group-size", "160"], /no multiple of 160, the group of gptq/));
  it("a choice that the format does not have", () => refused([base, "--to", "fp8", "--double-quant"], /fp8 has no scales in eight bits/));
  it("too little memory", () => refused([base, "--to", "awq", "--max-memory", "111MB"], /--max-memory allows/));
  it("a file that is cut", async () => {
    const at = fresh();
    cpSync(base, at, { recursive: true });
    const file = join(
      at,
      readdirSync(at).find((name) => name.endsWith(".safetensors"))!,
    );
    truncateSync(file, 4096);
    await refused([at, "--to", "nf4"], /error: .*model-/);
  });
  it("a disk that is full", () => {
    const out = fresh();
    const { code, stderr } = spawnWeft(["quantize", base, "--to", "nf4", "-o", out], { shell: "ulimit -f 40" });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/exceed the largest size allowed/)]);
    expect(existsSync(out)).toBe(false);
  });
  it("neither --to nor --dtype", async () => {
    const { code, stderr } = await weftBuilt("convert", base, "-o", fresh());
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--dtype how the floats of a checkpoint are stored/)]);
  });
});

describe("beside what transformers wrote with bitsandbytes", () => {
  it.each([
    ["bnb_model_nf4", ["nf4", "--double-quant"]],
    ["bnb_model_int8", ["int8"]],
  ])("%s: the same names, dtypes, shapes and config; its values are read", async (name, to) => {
    const theirs = join(FIXTURES, "quant", name);
    const [dense, out] = [fresh(), fresh()];
    const converted = await weftBuilt("convert", theirs, "--dtype", "f32", "-o", dense);
    expect(converted.code, converted.stderr).toBe(0);
    expect((await weftBuilt("quantize", dense, "--to", ...to, "-o", out)).code).toBe(0);
    expect(configOf(out).quantization_config).toEqual(configOf(theirs).quantization_config);
    // transformers refuses a whole number here.
    expect(readFileSync(join(out, "config.json"), "utf8")).toContain('"llm_int8_threshold": 6.0');
    const [want, got] = [tensorsOf(join(theirs, "model.safetensors")), tensorsOf(join(out, "model.safetensors"))];
    expect([...got.keys()].sort()).toEqual([...want.keys()].sort());
    for (const [key, { dtype, shape }] of want) {
      // The text of a state is as long as its numbers have digits.
      if (key.includes("quant_state")) continue;
      expect([key, got.get(key)!.dtype, got.get(key)!.shape]).toEqual([key, dtype, shape]);
    }
  });
});
