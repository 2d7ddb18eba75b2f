import * as w from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { KERNELS, lowerStep } from "./index.js";
import type { Dispatch, LowerContext } from "./kernel.js";
import { sample as x } from "../testing/gpu.js";

/** The dispatches of a graph under the limits that every device has; no GPU is needed to write WGSL. */
function dispatchesOf(t: w.Tensor, subgroups = false): Dispatch[] {
  const limits = { maxStorageBuffers: 8, maxGroups: 65535, maxInvocations: 256, maxWorkgroupBytes: 16384, maxBinding: 2 ** 27, subgroups };
  const { plan } = w.planGraph([t], [], (call) => KERNELS.composites[call.name]?.claims(call, limits) ?? false);
  let next = plan.buffers.length;
  const context: LowerContext = {
    limits,
    binding: (buffer) => ({
      key: `${buffer}`,
      buffer,
      shared: plan.buffers[buffer]?.role !== "input" && plan.buffers[buffer]?.role !== "output",
    }),
    bytes: (buffer) => plan.buffers[buffer]?.bytes ?? 0,
    window: (buffer) => buffer,
    temporary: (shape, dtype) => ({ buffer: next++, dtype, shape, strides: w.contiguousStrides(shape), offset: 0 }),
  };
  return plan.steps.flatMap((step) => lowerStep(step, context, KERNELS));
}

const BANK = w.loraBank([x([3, 8]), x([6, 8])], [x([10, 3]), x([10, 6])], [1, 2]);

/** The gradient of f with respect to v, for some gradient of f(v). */
function slopeOf(f: (v: w.Tensor) => w.Tensor, shape: number[]): w.Tensor {
  const v = x(shape, "f32", 3);
  const y = f(v);
  return w.vjp([y], [x([...y.shape], "f32", 7)], [v])[0]!;
}

const VARIANTS: Record<string, () => w.Tensor> = {
  "elementwise-f32": () => w.add(w.exp(x([5, 7])), x([7])),
  "elementwise-bf16": () => w.mul(w.transpose(x([5, 7], "bf16"), [1, 0]), 2),
  "rows-short": () => w.softmax(x([5, 7])),
  "row-workgroup": () => w.rmsNorm(x([3, 100], "bf16"), x([100], "bf16"), 1e-5),
  "row-subgroups": () => w.softmax(x([3, 100])),
  "matmul-tiles": () => w.matmul(x([640, 8]), w.swapLast(x([650, 8], "bf16"))),
  "matmul-vector": () => w.matmul(x([1, 8]), x([8, 9], "f16")),
  conv: () => w.conv(x([1, 2, 5, 6]), x([8, 2, 3, 3])),
  "gather-f16": () => w.gather(x([7, 5], "f16"), w.tensor(Int32Array.of(1, 2))),
  "lora-linear": () => w.loraLinear(x([9, 8]), x([10, 8]), x([5, 8]), x([10, 5]), 2),
  "merge-low-rank-bf16": () => w.mergeLowRank(x([16, 8], "bf16"), x([2, 8]), x([16, 2]), { scale: 2 }),
  "attention-causal": () => w.attention(x([1, 2, 4, 8]), x([1, 1, 4, 8]), x([1, 1, 4, 8]), { causal: true }),
  "attention-backward-causal": () => slopeOf((v) => w.attention(x([1, 2, 4, 8]), x([1, 1, 4, 8]), v, { causal: true }), [1, 1, 4, 8]),
  "lora-linear-backward": () => slopeOf((v) => w.loraLinear(v, x([10, 8]), x([5, 8]), x([10, 5]), 2), [9, 8]),
  "norm-weight-gradient": () => slopeOf((weight) => w.layerNorm(x([9, 8]), weight, x([8]), 1e-5), [8]),
  "cross-entropy-and-gradient": () =>
    slopeOf((v) => w.softmaxCrossEntropy(v, w.tensor(Int32Array.from({ length: 9 }, (_, i) => i))), [9, 40]),
  "rope-gradient": () => slopeOf((v) => w.rope(v, x([1, 5, 8]), x([1, 5, 8], "f32", 2)), [2, 3, 5, 8]),
  "global-norm": () => w.globalNorm([x([5]), x([3, 4])]),
  "top-k": () => w.topK(x([3, 40]), 5).values,
  "multi-lora": () => w.multiLora(x([5, 8]), w.tensor(Int32Array.of(1, -1, 0, 1, 1)), BANK),
  "block-rotation": () => w.blockRotate(x([40, 24]), x([3, 8, 8])),
  "kron-linear": () => w.kronLinear(x([2, 15]), x([4, 3]), x([7, 5])),
  cayley: () => w.cayley(x([3, 20, 20])),
  "weight-norm-bf16": () => w.weightNorm(x([9, 8], "bf16"), x([2, 8]), x([9, 2]), 2),
};

describe("generated WGSL", () => {
  it.each(Object.entries(VARIANTS))("of %s is as reviewed", async (name, build) => {
    const last = dispatchesOf(build(), name.endsWith("subgroups")).at(-1)!;
    await expect(`// ${last.name}\n${last.source}\n`).toMatchFileSnapshot(`./__snapshots__/${name}.wgsl`);
  });
  it("does not depend on sizes", () => {
    const text = (n: number): string[] => dispatchesOf(w.softmax(w.matmul(x([n, 2 * n]), x([2 * n, 3 * n])))).map((d) => d.source);
    expect(text(40)).toEqual(text(51));
  });
  it("binds no more buffers than every device allows", () => {
    const parts = Array.from({ length: 20 }, (_, i) => x([2, 3], "f32", i + 1));
    for (const { bindings } of dispatchesOf(w.concat(parts))) expect(bindings.length).toBeLessThanOrEqual(8);
  });
});
