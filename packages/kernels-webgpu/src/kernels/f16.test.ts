import * as w from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createNodeWebGpuBackend } from "../node/index.js";
import type { WebGpuBackend } from "../backend.js";
import { sample as x } from "../testing/gpu.js";

/** Dawn's adapter that compiles and computes nothing, but has every feature: software GPUs have no `shader-f16`. */
let nothing: WebGpuBackend;
beforeAll(async () => void (nothing = await createNodeWebGpuBackend({ dawnFlags: ["backend=null"] })));
afterAll(() => nothing.dispose());

const attend = (dtype: w.DType): w.Tensor =>
  w.attention(x([1, 2, 9, 128], dtype), x([1, 1, 9, 128], dtype), x([1, 1, 9, 128], dtype), { causal: true });
const slopes = (dtype: w.DType): w.Tensor => {
  const q = x([1, 2, 9, 16], dtype);
  return w.vjp([w.attention(q, x([1, 1, 9, 16], dtype), x([1, 1, 9, 16], dtype))], [x([1, 2, 9, 16], dtype, 5)], [q])[0]!;
};
const product = (dtype: w.DType): w.Tensor => w.matmul(x([40, 8], dtype), x([8, 40], dtype, 2));

/** Compiles, which throws if the WGSL is not valid. */
async function sourcesOf(t: w.Tensor): Promise<string[]> {
  const sources: string[] = [];
  const { device } = nothing;
  const create = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) => {
    sources.push(descriptor.code);
    return create(descriptor);
  };
  const executable = await nothing.lower(w.planGraph([t], [], (call) => nothing.claims(call)).plan);
  executable.dispose();
  device.createShaderModule = create;
  return sources;
}

describe("a GPU with shader-f16", () => {
  it.each(Object.entries({ attend, slopes, product }))("keeps f16 as f16 in workgroup memory, all else as f32: %s", async (_, build) => {
    expect(nothing.limits.f16).toBe(true);
    const tiles = async (dtype: w.DType): Promise<string[]> =>
      (await sourcesOf(build(dtype))).flatMap((text) =>
        [...text.matchAll(/var<workgroup> (?:tile|own|pass)_\w+: array<(\S+),/g)].map((m) => m[1]!),
      );
    expect(new Set(await tiles("f16"))).toEqual(new Set(["vec4<f16>"]));
    expect(new Set(await tiles("bf16"))).toEqual(new Set(["vec4<f32>"]));
  });
});
