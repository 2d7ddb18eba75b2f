import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openGgufPath } from "@weft/io-gguf/node";
import { checkpointOf, editJson, f32, filesOf, makeLlama, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, type Ran, startWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, `out-${made++}`);
const Q = "model.layers.0.self_attn.q_proj";

/** Runs a command in this thread, unless it says how many: others take longer to start than these small models. */
async function weft(...argv: readonly string[]): Promise<Ran> {
  const ran = await weftBuilt(...(argv.includes("--jobs") ? argv : [...argv, "--jobs", "1"]));
  expect(ran.code, ran.stderr).toBe(0);
  return ran;
}
const floats = ({ bytes }: StoredTensor): Float32Array => new Float32Array(Uint8Array.from(bytes).buffer);
/** A checkpoint as its values in f32. */
async function valuesOf(checkpoint: string): Promise<ReadonlyMap<string, Float32Array>> {
  const out = fresh();
  await weft("convert", checkpoint, "--dtype", "f32", "-o", out);
  return new Map([...checkpointOf(out)].map(([name, tensor]) => [name, floats(tensor)]));
}
/** ‖a - b‖ / ‖b‖ over all linear layers. */
function distance(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  let [gap, size] = [0, 0];
  for (const [name, values] of b)
    for (let i = 0; name.includes("_proj") && i < values.length; i++) {
      gap += (a.get(name)![i]! - values[i]!) ** 2;
      size += values[i]! ** 2;
    }
  return Math.sqrt(gap / size);
}

/** What there is in a folder's safetensors, their values aside. */
const outlineOf = (at: string): unknown =>
  readdirSync(at)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => [name, ...[...tensorsOf(join(at, name))].map(([key, { dtype, shape }]) => [key, dtype, shape])]);

let [base, lora] = ["", ""];
beforeAll(() => {
  ({ base, lora } = makeLlama(folder, { hidden: 256, intermediate: 128, layers: 1 }));
});

describe("an adapter merged into a quantised checkpoint", () => {
  const FORMATS: readonly (readonly [to: string, strength: number])[] = [
    ["nf4", 24],
    ["nf4 --double-quant", 24],
    ["fp4", 24],
    ["int8", 4],
    ["awq", 24],
    ["gptq --group-size 64", 24],
    ["fp8", 12],
    ["w4a16 --group-size 32", 24],
    ["w8a16", 4],
    ["nvfp4", 24],
  ];
  it.each(FORMATS)(
    "%s: the base's layout, as near as quantising the merged weights once, for any number of threads",
    async (to, strength) => {
      const quantized = fresh();
      await weft("quantize", base, "--to", ...to.split(" "), "-o", quantized);
      const [out, alone, dense, again] = [fresh(), fresh(), fresh(), fresh()];
      const adapter = `${lora}:${strength}`;
      const report = join(folder, `report-${made++}.json`);
      await weft("merge", quantized, "-a", adapter, "-o", out, "--jobs", "2", "--report", report);
      await weft("merge", quantized, "-a", adapter, "-o", alone);
      expect(filesOf(alone)).toEqual(filesOf(out));
      expect(outlineOf(out)).toEqual(outlineOf(quantized));
      expect(readFileSync(join(out, "config.json"), "utf8")).toBe(readFileSync(join(quantized, "config.json"), "utf8"));

      await weft("merge", quantized, "-a", adapter, "-o", dense, "--dtype", "f32");
      expect(JSON.parse(readFileSync(join(dense, "config.json"), "utf8"))).not.toHaveProperty("quantization_config");
      await weft("quantize", dense, "--to", ...to.split(" "), "-o", again);
      const wanted = new Map([...checkpointOf(dense)].map(([name, tensor]) => [name, floats(tensor)]));
      const [stored, before, once] = [await valuesOf(out), await valuesOf(quantized), await valuesOf(again)];
      expect(distance(stored, wanted)).toBeLessThan(1.01 * distance(once, wanted) + 1e-4);
      const told = (JSON.parse(readFileSync(report, "utf8")) as { requantized: Record<string, number> }).requantized;
      expect(told.errorBefore).toBeCloseTo(distance(before, wanted), 3);
      expect(told.errorAfter).toBeCloseTo(distance(stored, wanted), 3);
      expect((await weft("verify", out, "--base", quantized, "-a", adapter)).stdout).toMatch(/bit for bit/);
      expect((await weft("merge", quantized, "-a", adapter, "-o", out)).stdout).toMatch(/done already/);
    },
  );

  it("is refused where most of the change is rounded away, leaves nothing, and --residual-rank keeps it", async () => {
    const quantized = fresh();
    await weft("quantize", base, "--to", "nf4", "-o", quantized);
    const [out, dense] = [fresh(), fresh()];
    const adapter = `${lora}:0.5`;
    const refused = await weftBuilt("merge", quantized, "-a", adapter, "-o", out, "--jobs", "1");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/% of the change survive[^]*--residual-rank/)]);
    expect(existsSync(out)).toBe(false);
    await weft("merge", quantized, "-a", adapter, "-o", out, "--allow-loss");
    await weft("merge", quantized, "-a", adapter, "-o", out, "--residual-rank", "16", "--force");
    await weft("merge", quantized, "-a", adapter, "-o", dense, "--dtype", "f32");
    const wanted = new Map([...checkpointOf(dense)].map(([name, tensor]) => [name, floats(tensor)]));
    const whole = fresh();
    await weft("merge", out, "-a", join(out, "adapter"), "-o", whole, "--dtype", "f32");
    const both = new Map([...checkpointOf(whole)].map(([name, tensor]) => [name, floats(tensor)]));
    // Beside a change of rank 4, what is lost is rounding of all ranks.
    expect(distance(both, wanted)).toBeLessThan(0.35 * distance(await valuesOf(out), wanted));
  });

  it("killed, it goes on with the same command to the same bytes", async () => {
    const { base: larger, lora: on } = makeLlama(join(folder, "larger"), { hidden: 256, intermediate: 512, layers: 4, shards: 4 });
    const quantized = fresh();
    await weft("quantize", larger, "--to", "nf4", "-o", quantized);
    const [out, whole] = [fresh(), fresh()];
    const argv = ["merge", quantized, "-a", `${on}:24`, "--jobs", "1", "-o"];
    await weft(...argv, whole);
    const started = startWeft([...argv, out], { stdio: "ignore" });
    const ended = new Promise((resolve) => started.once("exit", resolve));
    const complete = (): number => (existsSync(out) ? readdirSync(out).filter((name) => name.endsWith(".safetensors")).length : 0);
    while (complete() < 2 && started.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    started.kill("SIGKILL");
    await ended;
    expect(complete()).toBeLessThan(4);
    expect((await weft(...argv, out)).stdout).toMatch(/files were done already/);
    expect(filesOf(out)).toEqual(filesOf(whole));
  });
});

const TINY = join(FIXTURES, "quant/tiny.gguf");

/** A LoRA on q_proj, k_proj and down_proj of the file's model. */
async function onTiny(strength: number): Promise<string> {
  const at = fresh();
  const shapes = { "self_attn.q_proj": [256, 256], "self_attn.k_proj": [128, 256], "mlp.down_proj": [256, 256] } as const;
  const tensors = [0, 1].flatMap((layer) =>
    Object.entries(shapes).flatMap(([path, [rows, columns]]) => {
      const name = `base_model.model.model.layers.${layer}.${path}`;
      return [
        [`${name}.lora_A.weight`, f32([2, columns], (i) => Math.sin(i * 1.7 + layer))] as const,
        [`${name}.lora_B.weight`, f32([rows, 2], (i) => strength * 0.01 * Math.cos(i * 0.9))] as const,
      ];
    }),
  );
  await writeTensors(join(at, "adapter_model.safetensors"), new Map(tensors));
  writeFileSync(
    join(at, "adapter_config.json"),
    JSON.stringify({ peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["q_proj", "k_proj", "down_proj"] }),
  );
  return at;
}

describe("an adapter merged into a GGUF file", () => {
  it("gives the same file with other weights: types, order, metadata, tokenizer", async () => {
    const adapter = `${await onTiny(20)}:1`;
    const [out, alone, dense] = [`${fresh()}.gguf`, `${fresh()}.gguf`, fresh()];
    await weft("merge", TINY, "-a", adapter, "-o", out, "--jobs", "2");
    await weft("merge", TINY, "-a", adapter, "-o", alone);
    expect(readFileSync(alone).equals(readFileSync(out))).toBe(true);
    await weft("merge", TINY, "-a", adapter, "-o", dense, "--dtype", "f32");
    const [before, after] = [await openGgufPath(TINY), await openGgufPath(out)];
    expect([...after.metadata]).toEqual([...before.metadata]);
    const outline = ({ tensors }: typeof before): unknown =>
      [...tensors].map(([name, { type, shape, offset }]) => [name, type, shape, offset]);
    expect(outline(after)).toEqual(outline(before));
    // Heads of q and k come in another order in the file; what is not merged keeps its bytes.
    const wanted = new Map([...checkpointOf(dense)].map(([name, tensor]) => [name, floats(tensor)]));
    expect(distance(await valuesOf(out), wanted)).toBeLessThan(0.12);
    expect(distance(await valuesOf(TINY), wanted)).toBeGreaterThan(0.5);
    for (const name of ["token_embd.weight", "blk.0.ffn_gate.weight"])
      expect((await after.read(name)).data).toEqual((await before.read(name)).data);
    await Promise.all([before.close(), after.close()]);
    expect((await weft("verify", out, "--base", TINY, "-a", adapter)).stdout).toMatch(/bit for bit/);
  });

  it("keeps what is lost in a folder beside it, and says which output goes with which base", async () => {
    const adapter = await onTiny(0.02);
    const out = `${fresh()}.gguf`;
    for (const [argv, what] of [
      [["-o", out], /of the change survive/],
      [["-o", fresh()], /is a GGUF file/],
      [["-o", out, "--dtype", "bf16"], /a GGUF file is written of a GGUF file, as it is/],
    ] as const) {
      const ran = await weftBuilt("merge", TINY, "-a", adapter, "--jobs", "1", ...argv);
      expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(what)]);
      expect(existsSync(out)).toBe(false);
    }
    await weft("merge", TINY, "-a", adapter, "-o", out, "--residual-rank", "2");
    expect(readdirSync(`${out.slice(0, -5)}-adapter`).toSorted()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  });
});

describe("PEFT's own merge", () => {
  /** `nested0` and `nested1` of the fixture: NF4 without and with double quantisation, scale 3. */
  it.each([["nested0"], ["nested1"]])("%s gives the same codes", async (which) => {
    const fixture = tensorsOf(join(FIXTURES, "quant/qlora.safetensors"));
    const [plain, quantized, adapter, out] = [fresh(), fresh(), fresh(), fresh()];
    await writeTensors(join(plain, "model.safetensors"), new Map([[`${Q}.weight`, fixture.get("weight")!]]), { format: "pt" });
    writeFileSync(join(plain, "config.json"), JSON.stringify({ model_type: "llama" }));
    const nested = which === "nested1" ? ["--double-quant"] : [];
    await weft("quantize", plain, "--to", "nf4", ...nested, "-o", quantized);
    expect(
      checkpointOf(quantized)
        .get(`${Q}.weight`)!
        .bytes.equals(fixture.get(`${which}.packed`)!.bytes),
    ).toBe(true);
    mkdirSync(adapter);
    const factors = ["A", "B"].map((x) => [`base_model.model.${Q}.lora_${x}.weight`, fixture.get(`${which}.${x}`)!] as const);
    await writeTensors(join(adapter, "adapter_model.safetensors"), new Map(factors));
    writeFileSync(join(adapter, "adapter_config.json"), "{}");
    editJson(join(adapter, "adapter_config.json"), { peft_type: "LORA", r: 4, lora_alpha: 12, target_modules: ["q_proj"] });
    await weft("merge", quantized, "-a", adapter, "-o", out);
    const [got, want] = [checkpointOf(out).get(`${Q}.weight`)!.bytes, fixture.get(`${which}.merged_packed`)!.bytes];
    const unlike = got.reduce((n, byte, i) => n + Number(byte !== want[i]), 0);
    // A value may lie on the border of two codes; with nested scales those of the original differ in the last bit of their mean.
    expect(unlike).toBeLessThanOrEqual(which === "nested0" ? 2 : 8);
    const values = (await valuesOf(out)).get(`${Q}.weight`)!;
    const merged = floats(fixture.get(`${which}.merged_dequant`)!);
    expect(distance(new Map([["_proj", values]]), new Map([["_proj", merged]]))).toBeLessThan(0.01);
  });
});
