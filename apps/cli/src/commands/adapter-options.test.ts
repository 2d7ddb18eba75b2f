import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointOf, f32, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { temporaryFolder, weftBuilt as weft } from "../testing/cli.js";

const folder = temporaryFolder();
const N = 4;
const PATH = "model.layers.0.self_attn.q_proj";
let made = 0;
const fresh = (): string => join(folder, `out-${made++}`);

/** Columns and rows of factors of rank 1: u·vᵀ is all of ΔW / scale. */
const [down, up] = [0, 1].map((at) => (seed: number) => Array.from({ length: N }, (_, i) => Math.sin(1 + i + seed + 10 * at))) as [
  (seed: number) => number[],
  (seed: number) => number[],
];
const change = (seed: number, scale: number): number[] => up(seed).flatMap((u) => down(seed).map((v) => scale * u * v));
const sum = (...parts: readonly number[][]): number[] => parts[0]!.map((_, i) => parts.reduce((total, part) => total + part[i]!, 0));

const factors = (seed: number, name = "", path = `base_model.model.${PATH}`): [string, StoredTensor][] => [
  [`${path}.lora_A${name}.weight`, f32([1, N], (i) => down(seed)[i]!)],
  [`${path}.lora_B${name}.weight`, f32([N, 1], (i) => up(seed)[i]!)],
];

/** An adapter of PEFT; without alpha its config is lost. */
async function peft(name: string, tensors: readonly [string, StoredTensor][], alpha?: number): Promise<string> {
  const path = join(folder, name);
  await writeTensors(join(path, "adapter_model.safetensors"), new Map(tensors));
  const config = { peft_type: "LORA", r: 1, lora_alpha: alpha, target_modules: ["q_proj"] };
  if (alpha !== undefined) writeFileSync(join(path, "adapter_config.json"), JSON.stringify(config));
  return path;
}

const values = ({ bytes }: StoredTensor): number[] => [...new Float32Array(Uint8Array.from(bytes).buffer)];
const expectClose = (got: readonly number[], want: readonly number[]): void =>
  got.forEach((x, i) => expect(Math.abs(x - want[i]!)).toBeLessThan(1e-5));

async function zeroBase(): Promise<string> {
  const base = fresh();
  await writeTensors(join(base, "model.safetensors"), new Map([[`${PATH}.weight`, f32([N, N], () => 0)]]));
  return base;
}

async function merged(...args: readonly string[]): Promise<number[]> {
  const out = fresh();
  const { code, stderr } = await weft("merge", await zeroBase(), ...args, "-o", out);
  expect(code, stderr).toBe(0);
  return values(checkpointOf(out).get(`${PATH}.weight`)!);
}

describe("--alpha is for those adapters that do not say their own", () => {
  it("in merge and combine, and refused where none lacks it", async () => {
    const [own, bare, other] = [await peft("own", factors(1), 2), await peft("bare", factors(2)), await peft("other", factors(3), 5)];
    expectClose(await merged("-a", own, "-a", bare, "--alpha", "3"), sum(change(1, 2), change(2, 3)));
    expectClose(await merged("-a", bare, "-a", own, "--alpha", "3"), sum(change(1, 2), change(2, 3)));
    const both = fresh();
    const { code, stderr } = await weft("combine", "-a", own, "-a", bare, "--alpha", "3", "-o", both);
    expect(code, stderr).toBe(0);
    expectClose(await merged("-a", both), sum(change(1, 2), change(2, 3)));
    for (const args of [["merge", await zeroBase()], ["combine"]]) {
      const refused = await weft(...args, "-a", own, "-a", other, "--alpha", "3", "-o", fresh());
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringMatching(/own.*: alpha is given, but the adapter says its own/) as unknown,
      ]);
    }
  });

  it("in a pipeline, whose parts may need none", async () => {
    const [root, out] = [fresh(), fresh()];
    const [unet, te] = ["mid_block.attentions.0.transformer_blocks.0.attn1.to_q", "text_model.encoder.layers.0.self_attn.q_proj"];
    await writeTensors(join(root, "unet/diffusion_pytorch_model.safetensors"), new Map([[`${unet}.weight`, f32([N, N], () => 0)]]));
    await writeTensors(join(root, "text_encoder/model.safetensors"), new Map([[`${te}.weight`, f32([N, N], () => 0)]]));
    writeFileSync(join(root, "model_index.json"), JSON.stringify({ unet: [], text_encoder: [] }));
    const kohya = async (key: string, seed: number, alpha?: number): Promise<string> => {
      const file = join(folder, `${key}.safetensors`);
      const [a, b] = factors(seed).map(([, tensor]) => tensor);
      const pair: [string, StoredTensor][] = [
        [`${key}.lora_down.weight`, a!],
        [`${key}.lora_up.weight`, b!],
      ];
      await writeTensors(file, new Map(alpha === undefined ? pair : [...pair, [`${key}.alpha`, f32([], () => alpha)]]));
      return file;
    };
    const own = await kohya(`lora_unet_${unet.replaceAll(".", "_")}`, 1, 2);
    const bare = await kohya(`lora_te_${te.replaceAll(".", "_")}`, 2);
    const { code, stderr } = await weft("merge", root, "-a", own, "-a", bare, "--alpha", "3", "-o", out);
    expect(code, stderr).toBe(0);
    expectClose(values(checkpointOf(join(out, "unet")).get(`${unet}.weight`)!), change(1, 2));
    expectClose(values(checkpointOf(join(out, "text_encoder")).get(`${te}.weight`)!), change(2, 3));
  });
});

describe("--adapter-name chooses one of several adapters in a file", () => {
  const make = (): Promise<string> => peft("two", [...factors(1, ".chat"), ...factors(2, ".code")], 2);

  it.each(["inspect", "lint", "merge", "convert", "export", "resize", "combine"])("%s", async (command) => {
    const two = await make();
    const args: { readonly [name: string]: () => Promise<readonly string[]> | readonly string[] } = {
      inspect: () => [two],
      lint: () => [two],
      merge: async () => [await zeroBase(), "-a", two, "-o", fresh()],
      convert: () => [two, "--to", "peft", "-o", fresh()],
      export: () => [two, "--target", "vllm", "-o", fresh()],
      resize: () => [two, "--rank", "1", "-o", fresh()],
      combine: () => ["-a", two, "-o", fresh()],
    };
    const run = [command, ...(await args[command]!())];
    const refused = await weft(...run);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/several adapters: chat, code[^]*--adapter-name/) as unknown]);
    const unknown = await weft(...run, "--adapter-name", "math");
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/no adapter "math", but chat, code/) as unknown]);
    const { code, stdout, stderr } = await weft(...run, "--adapter-name", "code");
    // Tensors that are left out are a finding.
    expect(code, stderr).toBe(command === "lint" ? 4 : 0);
    if (command === "lint" || command === "inspect")
      return expect(stdout + stderr).toMatch(/2 tensors of adapters other than code left out/);
    const out = run.at(-1)!;
    if (command === "merge") return expectClose(values(checkpointOf(out).get(`${PATH}.weight`)!), change(2, 2));
    expectClose(await merged("-a", out), change(2, 2));
    return expect([...tensorsOf(join(out, "adapter_model.safetensors")).keys()].some((name) => /chat|code/.test(name))).toBe(false);
  });
});
