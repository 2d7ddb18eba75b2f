import { createAdapter, forwardBase, type LayerSpec, tensor } from "@weft/tensor-core";
import { methodChecks } from "@weft/tensor-core/testing";
import { describe, expect, it, test } from "vitest";
import { LN_TUNING, LNTuningConfig } from "../index.js";

const rms: LayerSpec = { kind: "norm", shape: [6], dtype: "f32", bias: false, norm: { kind: "rms", eps: 1e-5 } };
const layers: { readonly [name: string]: LayerSpec } = {
  "an RMS norm": rms,
  "a layer norm": { ...rms, bias: true, norm: { kind: "layer", eps: 1e-5 } },
  "a linear layer": { kind: "linear", shape: [4, 6], dtype: "f32", bias: true },
  "an embedding": { kind: "embedding", shape: [7, 6], dtype: "f32", bias: false },
};
const config = new LNTuningConfig();

describe("LN tuning", () => {
  test.each(
    methodChecks(
      LN_TUNING,
      Object.entries(layers).map(([name, layer]) => ({ name, config, layer })),
    ),
  )("$name", async ({ run }) => run());

  it("a new adapter is a copy of the norm, weight and bias, so it changes nothing", async () => {
    const base = { weight: tensor([1, 2, 3, 4, 5, 6]), bias: tensor([0.5, 0, 0, 0, 0, -1]) };
    const layer = { kind: "norm", norm: { kind: "layer", eps: 1e-5 } } as const;
    const adapter = (await createAdapter(LN_TUNING, config, { norm: { ...layer, ...base } })).get("norm");
    const x = tensor([[3, 1, 4, 1, 5, 9]]);
    const plain = forwardBase({ ...layer, shape: [6], dtype: "f32", bias: true }, base, x);
    expect(await adapter.forward(x).data()).toEqual(await plain.data());
    expect([...(await adapter.params.bias!.data())]).toEqual([0.5, 0, 0, 0, 0, -1]);
    adapter.set("bias", tensor([1, 1, 1, 1, 1, 1]));
    adapter.merge();
    expect([...(await adapter.bias!.data())]).toEqual([1, 1, 1, 1, 1, 1]);
  });
});
