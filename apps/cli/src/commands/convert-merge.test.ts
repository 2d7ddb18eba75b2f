import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { toCoreDType } from "@weft/io-safetensors";
import { ADAPTER_METHODS, LORA_METHODS, LYCORIS_METHODS } from "@weft/methods";
import { decode } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { checkpointOf, everyLycorisModule, f32, gapOf, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, weftBuilt, temporaryFolder } from "../testing/cli.js";

const folder = temporaryFolder();
const values = ({ bytes, dtype }: StoredTensor): ArrayLike<number> => decode(new Uint8Array(bytes), toCoreDType(dtype as "F32")!);

describe("weft merge takes files of other programs", () => {
  it("one LyCORIS file with a module of every method and layer, into a base of diffusers' names", async () => {
    const { cases, base, adapter, expected } = await everyLycorisModule(folder);
    const out = join(folder, "every");
    const ran = await weftBuilt("merge", base, "-a", adapter, "-o", out, "--jobs", "1");
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain(`${cases.length} modules matched`);
    const written = checkpointOf(out);
    for (const [name, want] of expected) {
      const label = `${cases[Number(/\d+/.exec(name)![0])]} ${name}`;
      expect([label, gapOf(values(written.get(name)!), want) < 2e-5]).toEqual([label, true]);
    }
    const opened = await openAdapterFolder(adapter, { methods: ADAPTER_METHODS });
    const methods = new Set([...opened.modules.values()].map(({ method }) => method ?? opened.method));
    await opened.weights.close();
    // A file does not tell DyLoRA from LoCon. T-LoRA is refused below; LoRAs of PEFT's kind are merged in merge-methods.test.ts.
    const others = new Set([...LORA_METHODS.keys(), "DYLORA", "TLORA"]);
    expect([...LYCORIS_METHODS.keys()].filter((name) => !others.has(name) && !methods.has(name))).toEqual([]);
  });

  it("but not T-LoRA's, which lack the factors that training began with", async () => {
    const from = join(FIXTURES, "lycoris/modules/100-tlora-linear");
    const weight = tensorsOf(join(from, "tensors.safetensors")).get("weight")!;
    const [checkpoint, out] = [join(folder, "tlora"), join(folder, "tlora-out")];
    await writeTensors(
      join(checkpoint, "model.safetensors"),
      new Map([
        ["blocks.0.tlora.weight", weight],
        ["blocks.0.norm.weight", f32([4], () => 1)],
      ]),
    );
    const ran = await weftBuilt("merge", checkpoint, "-a", join(from, "adapter.safetensors"), "-o", out, "--json");
    expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([2, { error: { message: expect.stringContaining("TLORA") as string } }]);
    expect(existsSync(out)).toBe(false);
  });

  it("a Flux file of kohya's with fused projections, into a base that keeps them apart", async () => {
    const flux = join(FIXTURES, "lycoris/convert/flux-kohya");
    const expected = tensorsOf(join(flux, "diffusers.safetensors"));
    const base = new Map<string, StoredTensor>();
    for (const [name, { shape }] of expected)
      if (name.endsWith("lora_B.weight")) {
        const path = name.slice("transformer.".length, -".lora_B.weight".length);
        const inputs = expected.get(name.replace("lora_B", "lora_A"))!.shape[1]!;
        base.set(
          `${path}.weight`,
          f32([shape[0]!, inputs], (i) => Math.sin(i)),
        );
      }
    const [checkpoint, out] = [join(folder, "flux"), join(folder, "flux-out")];
    await writeTensors(join(checkpoint, "diffusion_pytorch_model.safetensors"), base);
    const ran = await weftBuilt("merge", checkpoint, "-a", join(flux, "kohya.safetensors"), "-o", out, "--jobs", "1");
    expect(ran.code, ran.stderr).toBe(0);
    const written = checkpointOf(out);
    for (const [name, before] of base) {
      const path = `transformer.${name.slice(0, -".weight".length)}`;
      const [a, b] = [expected.get(`${path}.lora_A.weight`)!, expected.get(`${path}.lora_B.weight`)!];
      const [va, vb, vw] = [values(a), values(b), values(before)];
      const [rank, inputs] = a.shape as [number, number];
      const want = Array.from(vw, (w, at) => {
        const [row, column] = [Math.floor(at / inputs), at % inputs];
        return w + Array.from({ length: rank }, (_, k) => vb[row * rank + k]! * va[k * inputs + column]!).reduce((x, y) => x + y, 0);
      });
      expect([name, gapOf(values(written.get(name)!), want) < (a.dtype === "F16" ? 2e-3 : 2e-5)]).toEqual([name, true]);
    }
  });

  it("mlx-lm's factors, which lie transposed", async () => {
    const [home, checkpoint, out] = [join(folder, "mlx"), join(folder, "llama"), join(folder, "mlx-out")];
    const [a, b] = [f32([3, 2], (i) => i + 1), f32([2, 4], (i) => 1 / (i + 1))];
    const path = "model.layers.0.self_attn.q_proj";
    await writeTensors(
      join(home, "adapters.safetensors"),
      new Map([
        [`${path}.lora_a`, a],
        [`${path}.lora_b`, b],
      ]),
    );
    writeFileSync(
      join(home, "adapter_config.json"),
      JSON.stringify({ fine_tune_type: "lora", lora_parameters: { rank: 2, scale: 10, keys: ["self_attn.q_proj"] } }),
    );
    await writeTensors(join(checkpoint, "model.safetensors"), new Map([[`${path}.weight`, f32([4, 3], () => 1)]]));
    const ran = await weftBuilt("merge", checkpoint, "-a", home, "-o", out, "--jobs", "1");
    expect(ran.code, ran.stderr).toBe(0);
    const [va, vb] = [values(a), values(b)];
    const want = Array.from(
      { length: 12 },
      (_, at) => 1 + 10 * [0, 1].reduce((sum, k) => sum + va[(at % 3) * 2 + k]! * vb[k * 4 + Math.floor(at / 3)]!, 0),
    );
    expect(gapOf(values(checkpointOf(out).get(`${path}.weight`)!), want)).toBeLessThan(2e-5);
  });

  it("leaves out the parts of a pipeline that the base does not hold, and says so", async () => {
    const unet = new Map(
      [...tensorsOf(join(FIXTURES, "lycoris/convert/sd-lora/delta.safetensors"))]
        .filter(([name]) => name.startsWith("unet."))
        .map(([name, { shape }]) => [`${name.slice(5)}.weight`, f32(shape, () => 1)] as const),
    );
    const [checkpoint, out] = [join(folder, "unet"), join(folder, "unet-out")];
    await writeTensors(join(checkpoint, "diffusion_pytorch_model.safetensors"), unet);
    const ran = await weftBuilt(
      "merge",
      checkpoint,
      "-a",
      join(FIXTURES, "lycoris/convert/sd-lora/kohya.safetensors"),
      "-o",
      out,
      "--jobs",
      "1",
    );
    expect(ran.code, ran.stderr).toBe(0);
    expect(ran.stderr).toContain("61 modules matched · 6 modules of te1 left out");
  });
});
