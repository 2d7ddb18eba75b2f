import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { torchGenerator, torchNormal } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import type { Finding } from "../lint/finding.js";
import { copyFolder, editJson, f32, makeLlama, poke, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const llama = makeLlama(folder, { layers: 1 });

async function findings(...args: string[]): Promise<{ code: number; found: Finding[] }> {
  const { code, stdout } = await weft("lint", "--json", ...args);
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as { findings: Finding[] };
  return { code, found: result.findings };
}

const codes = (found: readonly Finding[]): string[] => found.map(({ code }) => code);

/** A sound adapter with something done to it. */
function broken(name: string, breakIt: (adapter: string) => void): string {
  const adapter = copyFolder(join(FIXTURES, "peft/lora_linear"), join(folder, name));
  breakIt(adapter);
  return adapter;
}

const file = (adapter: string): string => join(adapter, "adapter_model.safetensors");
const firstOf = (adapter: string, part: string): string => [...tensorsOf(file(adapter)).keys()].find((key) => key.includes(part))!;

it("finds nothing in a sound adapter", async () => {
  const { code, found } = await findings(join(FIXTURES, "peft/lora_linear"));
  expect(codes(found)).toEqual([]);
  expect(code).toBe(0);
});

describe("finds", () => {
  it("NaN", async () => {
    const adapter = broken("nan", (path) => poke(file(path), firstOf(path, "lora_A"), new Uint8Array(new Float32Array([NaN]).buffer)));
    const { code, found } = await findings(adapter);
    expect(code).toBe(4);
    expect(found[0]).toMatchObject({ code: "non-finite", severity: "error", where: [firstOf(adapter, "lora_A")] });
  });
  it("modules that change nothing", async () => {
    const adapter = broken("inert", (path) => {
      const key = firstOf(path, "lora_B");
      poke(file(path), key, new Uint8Array(tensorsOf(file(path)).get(key)!.bytes.length));
    });
    const { code, found } = await findings(adapter);
    expect([code, codes(found)]).toEqual([4, ["inert"]]);
    expect(found[0]!.where).toEqual([firstOf(adapter, "lora_B").replace("base_model.model.", "").replace(".lora_B.weight", "")]);
  });
  it("ranks that do nothing, with the rank that is enough", async () => {
    const adapter = broken("dead", (path) => {
      const key = firstOf(path, "lora_A");
      const { bytes, shape } = tensorsOf(file(path)).get(key)!;
      poke(file(path), key, new Uint8Array(bytes.length / shape[0]!), (bytes.length / shape[0]!) * (shape[0]! - 1));
    });
    const { found } = await findings(adapter);
    const { r } = JSON.parse(readFileSync(join(adapter, "adapter_config.json"), "utf8")) as { r: number };
    expect(codes(found)).toContain("dead-rank");
    expect(found.find((f) => f.code === "dead-rank")!.proposal).toContain(`--rank ${r - 1} `);
  });
  it("a base that it is not for", async () => {
    expect((await findings(llama.lora, "--base", llama.base)).found.map(({ code }) => code)).not.toContain("wrong-base");
    const other = makeLlama(join(folder, "other"), { layers: 1, hidden: 32 });
    const { code, found } = await findings(llama.lora, "--base", other.base);
    expect(code).toBe(4);
    const wrong = found.find((f) => f.code === "wrong-base")!;
    expect(wrong.severity).toBe("error");
    expect(wrong.proposal).toContain("made-up");
  });
  it.each([
    ["target-string", { target_modules: "lin_x" }],
    ["changed-base", { init_lora_weights: "pissa" }],
    ["trained-bias", { bias: "all" }],
  ])("%s in a config", async (code, fields) => {
    const { found } = await findings(broken(code, (path) => editJson(join(path, "adapter_config.json"), fields)));
    expect(codes(found)).toContain(code);
  });
  it("the scale that PEFT gives combined rsLoRAs", async () => {
    const { found } = await findings(
      broken("rslora", (path) => {
        const { r } = JSON.parse(readFileSync(join(path, "adapter_config.json"), "utf8")) as { r: number };
        editJson(join(path, "adapter_config.json"), { use_rslora: true, lora_alpha: r });
      }),
    );
    expect(codes(found)).toEqual(["rslora-combined"]);
  });
  it("magnitudes that diffusers' export leaves behind, and names that nothing reads", async () => {
    const path = join(folder, "dora.safetensors");
    const tensor = (name: string, shape: readonly number[], seed: number) => {
      const values = torchNormal(
        torchGenerator(seed),
        shape.reduce((a, b) => a * b, 1),
      );
      return { name, dtype: "F32", shape, data: new Uint8Array(values.buffer) } as const;
    };
    const key = "lora_unet_down_blocks_0_attentions_0_proj_in";
    await writeSafetensorsFile(path, [
      tensor(`${key}.lora_down.weight`, [2, 8], 1),
      tensor(`${key}.lora_up.weight`, [8, 2], 2),
      tensor("lora_unet.down_blocks.0.proj_in.lora_magnitude_vector", [8], 3),
      tensor("left_over", [3], 4),
    ]);
    const { code, found } = await findings(path);
    expect(code).toBe(4);
    expect(codes(found)).toEqual(["dotted-dora-keys", "unused-tensors", "no-alpha"]);
    // diffusers' converter leaves dots only in front of the magnitude, of a module that is there.
    await writeSafetensorsFile(join(folder, "export.safetensors"), [
      tensor(`${key}.lora_down.weight`, [2, 8], 1),
      tensor(`${key}.lora_up.weight`, [8, 2], 2),
      tensor("lora_unet_down_blocks_0_attentions_0.proj_in.lora_magnitude_vector", [8], 3),
    ]);
    expect(codes((await findings(join(folder, "export.safetensors"))).found)).toEqual(["dotted-dora-keys", "no-alpha"]);
  });
  it("a hash of other tensors", async () => {
    const out = join(folder, "kohya.safetensors");
    const adapter = join(FIXTURES, "lycoris/resize/linear-None-None-cap4/adapter.safetensors");
    expect((await weft("resize", adapter, "--rank", "4", "-o", out)).code).toBe(0);
    expect(codes((await findings(out)).found)).not.toContain("stale-hash");
    const content = readFileSync(out);
    content[content.length - 2]! ^= 1;
    writeFileSync(out, content);
    expect(codes((await findings(out)).found)).toContain("stale-hash");
  });
  it("what opening warned of: modules without alpha beside others, alpha of the header, a field that is not known", async () => {
    const pair = (path: string, rank: number): [string, ReturnType<typeof f32>][] => [
      [`lora_unet_${path}.lora_down.weight`, f32([rank, 4], (i) => Math.sin(i + rank))],
      [`lora_unet_${path}.lora_up.weight`, f32([4, rank], (i) => Math.cos(i + rank))],
    ];
    const [some, header] = [join(folder, "some.safetensors"), join(folder, "header.safetensors")];
    const two = new Map([...pair("a", 1), ...pair("b", 2)]);
    await writeTensors(some, new Map([...two, ["lora_unet_a.alpha", f32([], () => 1)]]));
    const { found } = await findings(some);
    expect(found).toMatchObject([{ code: "no-alpha", severity: "warning", message: expect.stringMatching(/^1 of 2 modules/) as unknown }]);
    await writeTensors(header, two, { ss_network_alpha: "1" });
    expect((await findings(header)).found).toMatchObject([
      { code: "no-alpha", message: expect.stringMatching(/ss_network_alpha = 1/) as unknown },
    ]);
    const odd = broken("odd", (path) => editJson(join(path, "adapter_config.json"), { some_alpha: 3 }));
    expect((await findings(odd)).found.find(({ code }) => code === "opened-with-warning")).toMatchObject({
      message: expect.stringContaining("some_alpha") as unknown,
    });
  });
  it("LoKr that LyCORIS's loader fails on", async () => {
    const { code, found } = await findings(join(FIXTURES, "lycoris/modules/030-lokr-conv3x3-use_tucker/adapter.safetensors"));
    expect([code, codes(found)]).toEqual([0, ["lycoris-cannot-load"]]);
  });
});

it("says what to do", async () => {
  const adapter = broken("text", (path) => editJson(join(path, "adapter_config.json"), { target_modules: "lin_x" }));
  const { stdout } = await weft("lint", adapter);
  expect(stdout).toMatch(/^error target-string: .*\n {2}try: write a list/m);
});

it("does not fail on methods that only PEFT has", async () => {
  const { code, found } = await findings(join(FIXTURES, "peft/ia3_linear"));
  expect([code, codes(found)]).toEqual([0, []]);
});

describe("agrees with merge", () => {
  const tied = join(FIXTURES, "tied/llama");
  it("that a head which the base does not hold is the embedding's", async () => {
    for (const name of ["lora_head", "save_head", "tokens_head"]) {
      const { found } = await findings(join(FIXTURES, "tied", name), "--base", tied);
      expect(codes(found), name).not.toContain("wrong-base");
    }
  });
  it("that what acts otherwise than by weights is not merged", async () => {
    const { code, found } = await findings(join(FIXTURES, "peft/llama_alora"));
    expect([code, found]).toEqual([
      0,
      [expect.objectContaining({ code: "not-mergeable", message: expect.stringContaining("invocation tokens") as unknown })],
    ]);
  });
});
