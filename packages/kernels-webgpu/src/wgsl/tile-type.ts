import type { DType } from "@weft/tensor-core";
import type { KernelLimits } from "../kernels/kernel.js";

/** How vec4s lie in workgroup memory. */
export interface TileType {
  readonly vec4: "vec4<f32>" | "vec4<f16>";
  /** Bytes of a vec4. */
  readonly bytes: number;
  /** WGSL for a vec4<f32> as it is stored. */
  readonly narrow: (value: string) => string;
  /** WGSL for a stored one as a vec4<f32>; sums are always f32. */
  readonly wide: (value: string) => string;
}

const F32: TileType = { vec4: "vec4<f32>", bytes: 16, narrow: (v) => v, wide: (v) => v };
const F16: TileType = { vec4: "vec4<f16>", bytes: 8, narrow: (v) => `vec4<f16>(${v})`, wide: (v) => `vec4<f32>(${v})` };

/**
 * Tiles of tensors that are all f16 take half the memory on a GPU with `shader-f16`, with the same numbers: what is stored is what was read
 * (f16 subnormals may be flushed to zero). Other tiles are f32.
 */
export function tileType(dtypes: readonly (DType | undefined)[], { f16 }: KernelLimits): TileType {
  return f16 && dtypes.every((dtype) => dtype === "f16") ? F16 : F32;
}
