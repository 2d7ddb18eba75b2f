import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkpointOf, copyFolder, poke, tensorsOf } from "@weft/checkpoint/testing";
import { FIXTURES, weftBuilt, temporaryFolder } from "../testing/cli.js";

const BASE = join(FIXTURES, "peft/llama_base");
/** Replaces lm_head.weight beside its factors. */
const LORA = join(FIXTURES, "peft/llama_lora");
const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, String(made++));
const merge = async (...adapters: string[]): Promise<{ out: string; code: number; stderr: string }> => {
  const out = fresh();
  return { out, ...(await weftBuilt("merge", BASE, ...adapters.flatMap((adapter) => ["-a", adapter]), "-o", out)) };
};
const HEAD = "base_model.model.lm_head.weight";

describe("tensors that an adapter brings whole", () => {
  it("are the same in two adapters, or the merge is refused and names both", async () => {
    const copy = copyFolder(LORA, fresh());
    const both = await merge(LORA, copy);
    expect(both.code, both.stderr).toBe(0);
    const head = tensorsOf(join(LORA, "adapter_model.safetensors")).get(HEAD)!;
    expect(checkpointOf(both.out).get("lm_head.weight")!.bytes.equals(head.bytes)).toBe(true);
    poke(join(copy, "adapter_model.safetensors"), HEAD, new Uint8Array(Float32Array.of(9).buffer));
    const { code, stderr } = await merge(LORA, copy);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/its own lm_head\.weight, and so does an adapter before it/)]);
  });

  it("hold at full strength at any factor but 0, and that is said", async () => {
    const { out, code, stderr } = await merge(`${LORA}:-0.5`);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/the factor -0\.5 does not count for lm_head\.weight/)]);
    const head = tensorsOf(join(LORA, "adapter_model.safetensors")).get(HEAD)!;
    expect(checkpointOf(out).get("lm_head.weight")!.bytes.equals(head.bytes)).toBe(true);
  });

  it("with factor 0 nothing of the adapter is merged", async () => {
    const { out, code, stderr } = await merge(`${LORA}:0`);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/factor is 0, so nothing of it is merged/)]);
    const before = checkpointOf(BASE);
    for (const [name, { bytes }] of checkpointOf(out)) expect(bytes.equals(before.get(name)!.bytes), name).toBe(true);
  });
});

describe("tensors that an adapter brings whole, in PEFT's files", () => {
  const headOf = (adapter: string): Buffer => tensorsOf(join(adapter, "adapter_model.safetensors")).get(HEAD)!.bytes;

  it("go along when it is resized", async () => {
    const out = fresh();
    const { code, stderr } = await weftBuilt("resize", LORA, "--rank", "2", "-o", out);
    expect(code, stderr).toBe(0);
    expect(headOf(out).equals(headOf(LORA))).toBe(true);
    expect(JSON.parse(readFileSync(join(out, "adapter_config.json"), "utf8"))).toMatchObject({ r: 2, modules_to_save: ["lm_head"] });
  });

  it("go along when it is combined, whatever its factor; different ones of two are a conflict", async () => {
    const out = fresh();
    const { code, stderr } = await weftBuilt("combine", "-a", LORA, "-a", `${LORA}:0.5`, "-o", out);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/the factor 0\.5 does not count for .*lm_head\.weight/)]);
    expect(headOf(out).equals(headOf(LORA))).toBe(true);
    const copy = copyFolder(LORA, fresh());
    poke(join(copy, "adapter_model.safetensors"), HEAD, new Uint8Array(Float32Array.of(9).buffer));
    const refused = await weftBuilt("combine", "-a", LORA, "-a", copy, "-o", fresh());
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/two adapters bring different tensors/)]);
  });
});
