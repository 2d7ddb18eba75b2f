import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights } from "@weft/io-safetensors/node";
import { forwardBase, type LayerSpec, type Tensor } from "@weft/tensor-core";
import { afterAll, describe, expect, it } from "vitest";
import { attachAdapter } from "../attach.js";
import { openAdapter, readTensor } from "@weft/adapter-files";
import { loadPeftModel } from "../node/load-peft-model.js";
import { savePretrained } from "../node/save-pretrained.js";
import { memoryFile, numbers } from "@weft/adapter-files/testing";
import type { HookedLayer, HookedModel, LayerHook } from "./hooked-model.js";
import { PeftModel } from "./peft-model.js";

/** Adapters on one linear layer, and what LyCORIS's forward gives: fixtures/make_lycoris.py. */
const HOME = join(import.meta.dirname, "../../../../fixtures/lycoris/modules");
/** T-LoRA's and DyLoRA's files are less than their training; LyCORIS's own loading of full LoKr under rsLoRA is the reference's note 3. */
const CASES = readdirSync(HOME).filter(
  (name) => /^\d+-(locon|loha|lokr|glora|full|boft|diag-oft|ia3)-linear/.test(name) && !/full_matrix-rs_lora|glora.*rs_lora/.test(name),
);
const out = mkdtempSync(join(tmpdir(), "weft-"));
afterAll(() => rmSync(out, { recursive: true }));

class OneLayer implements HookedModel<Tensor, Tensor> {
  constructor(
    readonly path: string,
    readonly weights: ReadonlyMap<string, Tensor>,
  ) {}
  layers(): HookedLayer[] {
    const [weight, bias] = [this.weights.get(`${this.path}.weight`)!, this.weights.get(`${this.path}.bias`)];
    const layer: LayerSpec = { kind: "linear", shape: weight.shape, dtype: weight.dtype, bias: bias !== undefined };
    return [{ path: this.path, layer, base: { weight, bias } }];
  }
  namedModules = () => [[this.path, { kind: "linear" }]] as const;
  withWeights(changes: ReadonlyMap<string, Tensor>): OneLayer {
    return new OneLayer(this.path, new Map([...this.weights, ...changes]));
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    const [{ path, layer, base }] = this.layers() as [HookedLayer];
    return hook?.(path, layer, base, x) ?? forwardBase(layer, base, x);
  }
}

async function caseOf(name: string): Promise<{ readonly model: OneLayer; readonly x: Tensor; readonly y: Tensor }> {
  const source = await openWeights(join(HOME, name, "tensors.safetensors"));
  const path = `blocks.0.${/^\d+-([\w-]+?)-linear/.exec(name)![1]!.replace("-", "")}`;
  const weights = new Map<string, Tensor>();
  for (const part of ["weight", "bias"]) if (source.has(part)) weights.set(`${path}.${part}`, await readTensor(source, part));
  const read = { x: await readTensor(source, "x"), y: await readTensor(source, "y") };
  await source.close();
  return { model: new OneLayer(path, weights), ...read };
}

describe("LyCORIS's files on a model", () => {
  it.each(CASES)("%s", async (name) => {
    const { model, x, y } = await caseOf(name);
    const peft = await loadPeftModel(model, join(HOME, name, "adapter.safetensors"), { methods: ADAPTER_METHODS });
    const [got, want] = [await peft.forward(x).data(), await y.data()];
    expect(Math.max(...Array.from(want, (v, i) => Math.abs(v - got[i]!)))).toBeLessThan(5e-5);
  });

  it("are not saved as PEFT's, whose config has one rank and alpha", async () => {
    const { model } = await caseOf("000-locon-linear");
    const peft = await loadPeftModel(model, join(HOME, "000-locon-linear/adapter.safetensors"), { methods: ADAPTER_METHODS });
    await expect(savePretrained(peft, out)).rejects.toMatchObject({
      kind: "not-peft",
      message: expect.stringMatching(/lycoris/) as unknown,
    });
    expect(readdirSync(out)).toEqual([]);
  });

  it("that change a layer in two ways are refused, not half applied", async () => {
    const { model } = await caseOf("000-locon-linear");
    const adapter = await openAdapter(
      {
        weights: await memoryFile({
          "lycoris_blocks_0_locon.lora_down.weight": numbers([2, 16]),
          "lycoris_blocks_0_locon.lora_up.weight": numbers([24, 2]),
          "lycoris_blocks_0_locon.diff_b": numbers([24]),
        }),
      },
      { methods: ADAPTER_METHODS },
    );
    await expect(PeftModel.fromPretrained(model, adapter)).rejects.toMatchObject({ kind: "several-methods" });
  });

  it("act on their rows of a fused projection", async () => {
    const { model, x } = await caseOf("000-locon-linear");
    const path = "layers.0.attention.qkv";
    const fused = new OneLayer(path, new Map([[`${path}.weight`, model.weights.get("blocks.0.locon.weight")!]]));
    const [down, up] = [numbers([2, 16]), numbers([8, 2])];
    const part = await openAdapter(
      {
        weights: await memoryFile({
          "diffusion_model.layers.0.attention.to_k.lora_A.weight": down,
          "diffusion_model.layers.0.attention.to_k.lora_B.weight": up,
        }),
      },
      { methods: ADAPTER_METHODS },
    );
    const host = { tensor: (name: string) => fused.weights.get(name), names: () => fused.weights.keys() };
    await expect(attachAdapter(part, host)).rejects.toMatchObject({ kind: "unsupported-placement" });
    const peft = await PeftModel.fromPretrained(fused, part);
    const [input, before, after] = [await x.data(), await fused.forward(x).data(), await peft.forward(x).data()];
    // k is the second third of 24 rows; B·A·x by hand.
    for (const [i, y] of after.entries()) {
      const [token, row] = [Math.floor(i / 24), (i % 24) - 8];
      let change = 0;
      for (let r = 0; r < 2 && row >= 0 && row < 8; r++)
        for (let c = 0; c < 16; c++) change += up.data![row * 2 + r]! * down.data![r * 16 + c]! * input[token * 16 + c]!;
      expect(Math.abs(y - before[i]! - change)).toBeLessThan(1e-4);
    }
  });
});
