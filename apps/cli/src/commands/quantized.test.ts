import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { checkpointOf, editJson, f32, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, weftBuilt, temporaryFolder, weft } from "../testing/cli.js";

const BASE = join(FIXTURES, "peft/llama_base");
/** On q_proj, v_proj and down_proj; replaces lm_head.weight. */
const LORA = join(FIXTURES, "peft/llama_lora");
const Q = "model.layers.0.self_attn.q_proj";
const UP = "model.layers.0.mlp.up_proj";
const folder = temporaryFolder();

const bytes = (dtype: string, shape: readonly number[], fill = 0x38): StoredTensor => ({
  dtype,
  shape,
  bytes: Buffer.alloc(
    shape.reduce((a, b) => a * b, 1),
    fill,
  ),
});
/** The base as one file, with some tensors taken out and others put in. */
async function changed(
  name: string,
  out: readonly string[],
  put: Readonly<Record<string, StoredTensor>>,
  config: object = {},
): Promise<string> {
  const at = join(folder, name);
  const tensors = new Map<string, StoredTensor>(checkpointOf(BASE));
  for (const key of out) tensors.delete(key);
  for (const [key, tensor] of Object.entries(put)) tensors.set(key, tensor);
  await writeTensors(join(at, "model.safetensors"), tensors, { format: "pt" });
  copyFileSync(join(BASE, "config.json"), join(at, "config.json"));
  editJson(join(at, "config.json"), config);
  return at;
}

let [eetq, scaled, other, fp8] = ["", "", "", ""];
beforeAll(async () => {
  const [out, inputs] = checkpointOf(BASE).get(`${Q}.weight`)!.shape;
  const shape = [out!, inputs!];
  const weights = { [`${Q}.weight`]: bytes("I8", shape), [`${Q}.weight_scales`]: f32([out!], () => 1) };
  eetq = await changed("eetq", [`${Q}.weight`], weights, { quantization_config: { quant_method: "eetq" } });
  scaled = await changed("scaled", [], {
    [`${Q}.weight`]: bytes("F8_E4M3", shape),
    [`${Q}.scale_weight`]: f32([], () => 0.5),
    scaled_fp8: bytes("F8_E4M3", [2]),
  });
  const up = checkpointOf(BASE).get(`${UP}.weight`)!.shape;
  other = await changed("other", [], { [`${UP}.weight`]: bytes("F8_E4M3", up), [`${UP}.weight_scale_inv`]: f32([1, 1], () => 0.5) });
  fp8 = await changed("fp8", [], { [`${Q}.weight`]: bytes("F8_E4M3", shape) });
});

describe("a base with quantised weights", () => {
  it.each([
    [
      "EETQ",
      () => eetq,
      [2, expect.stringContaining(`${Q}: this weight is quantised in a format that is not read (EETQ)`)],
      /merge refuses it/,
    ],
    ["scaled FP8 (ComfyUI)", () => scaled, [0, expect.anything()], /small changes are rounded away/],
  ])("%s: merge refuses what it does not read, lint, inspect and diff name it", async (format, base, merged, found) => {
    const out = join(folder, `merged ${format}`);
    const { code, stderr } = await weft("merge", base(), "-a", LORA, "-o", out, "--allow-loss");
    expect([code, stderr]).toEqual(merged);
    const linted = await weft("lint", LORA, "--base", base());
    expect([linted.code, linted.stdout]).toEqual([4, expect.stringMatching(found)]);
    expect(JSON.parse((await weft("inspect", "--json", base())).stdout)).toMatchObject({ quantized: { [format]: 1 } });
    const compared = await weft("diff", base(), base());
    expect([compared.code, compared.stderr]).toEqual([
      0,
      format === "EETQ" ? expect.stringContaining("codes and scales are compared") : "",
    ]);
  });

  it("is merged where the adapter is for others, and codes stay codes at another dtype", async () => {
    const out = join(folder, "others");
    const ran = await weftBuilt("merge", other, "-a", LORA, "-o", out, "--dtype", "bf16");
    expect(ran.code, ran.stderr).toBe(0);
    const after = checkpointOf(out);
    expect([after.get(`${UP}.weight`)!.dtype, after.get(`${UP}.weight_scale_inv`)!.dtype, after.get(`${Q}.weight`)!.dtype]).toEqual([
      "F8_E4M3",
      "F32",
      "BF16",
    ]);
    expect(after.get(`${UP}.weight`)!.bytes.equals(checkpointOf(other).get(`${UP}.weight`)!.bytes)).toBe(true);
  });

  it("is a source for extract where its format is read, with what rounding has changed", async () => {
    const argv = ["--base", BASE, "--rank", "2", "--target"];
    const { code, stderr } = await weft("extract", other, ...argv, UP, "-o", join(folder, "x"));
    expect([code, stderr]).toEqual([0, expect.stringMatching(/weights are quantised/)]);
    const refused = await weft("extract", eetq, ...argv, Q, "-o", join(folder, "y"));
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/hint: .*quantised \(EETQ\)/)]);
  });

  it("shows a quantised weight as one tensor of its values, and with --parts the tensors that it lies in", async () => {
    const folderOfNf4 = join(FIXTURES, "quant/bnb_model_nf4");
    const inspected = async (
      ...more: readonly string[]
    ): Promise<{ tensors: { name: string; dtype: string; shape: number[]; stats: { norm: number } }[] }> =>
      JSON.parse((await weft("inspect", folderOfNf4, "--json", "--stats", ...more)).stdout) as Awaited<ReturnType<typeof inspected>>;
    const dense = join(folder, "nf4-dense");
    expect((await weftBuilt("convert", folderOfNf4, "--dtype", "f32", "-o", dense)).code).toBe(0);
    const stored = checkpointOf(dense);
    const { tensors } = await inspected();
    expect(tensors.map(({ name }) => name).sort()).toEqual([...stored.keys()].sort());
    const { dtype, shape, stats } = tensors.find(({ name }) => name === `${Q}.weight`)!;
    const values = new Float32Array(Uint8Array.from(stored.get(`${Q}.weight`)!.bytes).buffer);
    expect([dtype, shape]).toEqual(["bitsandbytes NF4", [64, 64]]);
    expect(stats.norm).toBeCloseTo(Math.hypot(...values), 3);
    expect((await inspected("--parts")).tensors.map(({ name }) => name)).toContain(`${Q}.weight.quant_state.bitsandbytes__nf4`);
    // What a weight stands for is compared: with itself in f32 there is no difference.
    const compared = await weft("diff", folderOfNf4, dense);
    expect([compared.code, compared.stdout]).toEqual([0, expect.stringMatching(/equal: 21 tensors/)]);
    const tiny = join(FIXTURES, "quant/tiny.gguf");
    expect((await weft("inspect", tiny)).stdout).toMatch(/21 tensors/);
    expect((await weft("diff", tiny, tiny)).stdout).toMatch(/equal: 21 tensors/);
  });
});

it("FP8 without scales is merged as the values that it holds; --dtype bf16 keeps what its steps would lose", async () => {
  const [coarse, fine] = [join(folder, "coarse"), join(folder, "fine")];
  const ran = await weftBuilt("merge", fp8, "-a", LORA, "-o", coarse);
  expect([ran.code, ran.stderr]).toEqual([0, expect.stringMatching(/stored as F8_E4M3.*--dtype bf16 keeps it/)]);
  expect((await weftBuilt("merge", fp8, "-a", LORA, "-o", fine, "--dtype", "bf16")).code).toBe(0);
  // 0x38 is 1; what is added is (alpha / r)·B·A = 2·B·A, by hand.
  const factors = tensorsOf(join(LORA, "adapter_model.safetensors"));
  const [a, b] = ["A", "B"].map((x) => factors.get(`base_model.model.${Q}.lora_${x}.weight`)!);
  const [x, y] = [a!, b!].map((t) => new Float32Array(Uint8Array.from(t.bytes).buffer)) as [Float32Array, Float32Array];
  const [r, inputs] = a!.shape as [number, number];
  const merged = checkpointOf(fine).get(`${Q}.weight`)!;
  expect(merged.dtype).toBe("BF16");
  const stored = new Uint16Array(Uint8Array.from(merged.bytes).buffer);
  const worst = stored.reduce((most, bits, i) => {
    const [row, column] = [Math.floor(i / inputs), i % inputs];
    let delta = 0;
    for (let k = 0; k < r; k++) delta += y[row * r + k]! * x[k * inputs + column]!;
    const value = new Float32Array(Uint32Array.of(bits << 16).buffer)[0]!;
    return Math.max(most, Math.abs(value - (1 + 2 * delta)));
  }, 0);
  expect(worst).toBeLessThan(2 ** -7);
  expect(checkpointOf(coarse).get(`${Q}.weight`)!.dtype).toBe("F8_E4M3");
});
