import { type Operand, sizeOf, type Step } from "@weft/tensor-core";
import type { LowerContext, Run } from "./context.js";
import { lowerCopy } from "./fused.js";
import { lowerProduct } from "./matmul.js";
import { type Place, placeOf, temporary } from "./place.js";

/** Bytes of patches at a time. */
const PATCH_BYTES = 32 << 20;

const triple = (values: readonly number[], fill: number): number[] => [...new Array<number>(3 - values.length).fill(fill), ...values];

/** Convolution in one, two or three dimensions as patches (im2col) times weights, per image and group, in f32. */
export function lowerConv({ attrs, inputs, outputs }: Step & { readonly kind: "op" }, context: LowerContext): Run | undefined {
  const [x, w] = inputs as [Operand, Operand];
  const [out] = outputs as [Operand];
  const spatial = x.shape.length - 2;
  if (spatial > 3 || sizeOf(out.shape) === 0) return undefined;
  const runs: Run[] = [];
  const wide = (t: Operand): Place => {
    if (t.dtype === "f32") return t;
    const copy = temporary(context, t.shape, "f32");
    runs.push(lowerCopy(t, copy, context));
    return copy;
  };
  const [image, weight] = [wide(x), wide(w)];
  const result: Place = out.dtype === "f32" ? out : temporary(context, out.shape, "f32");
  const groups = attrs.groups as number;
  const [batch, channels] = x.shape as [number, number];
  const [outChannels, perGroup] = w.shape as [number, number];
  const [inSize, kernel, space] = [x.shape, w.shape, out.shape].map((s) => s.slice(2)) as [number[], number[], number[]];
  const depth = perGroup * sizeOf(kernel);
  const positions = sizeOf(space);
  const tile = Math.max(8, Math.min(positions, Math.floor(PATCH_BYTES / (4 * Math.max(1, depth)))));
  const patches = temporary(context, [depth, tile], "f32");
  const low = (attrs.padding as readonly (readonly number[])[]).map((p) => p[0]!);
  const geometry = [
    triple(inSize, 1),
    triple(kernel, 1),
    triple(space, 1),
    triple(attrs.stride as number[], 1),
    triple(attrs.dilation as number[], 1),
    triple(attrs.inputDilation as number[], 1),
    triple(low, 0),
  ].flat();
  const { pool } = context;
  const each = outChannels / groups;
  for (let first = 0; first < positions; first += tile) {
    const count = Math.min(tile, positions - first);
    const args = context.args([0, patches.address!, first, count, ...geometry]);
    const columns: Place = { ...patches, shape: [depth, count], strides: [count, 1] };
    for (let n = 0; n < batch; n++) {
      for (let g = 0; g < groups; g++) {
        const from: Place = { ...image, offset: image.offset + (n * channels + g * perGroup) * sizeOf(inSize) };
        const filters: Place = { ...weight, shape: [each, depth], strides: [depth, 1], offset: weight.offset + g * each * depth };
        const to: Place = {
          ...result,
          shape: [each, count],
          strides: [positions, 1],
          offset: result.offset + (n * outChannels + g * each) * positions + first,
        };
        runs.push((addresses) => {
          args.set(0, placeOf(from, addresses));
          pool.run("im2col", args.address, depth, depth * count < 1 << 15);
        });
        runs.push(lowerProduct(filters, columns, to, context));
      }
    }
  }
  if (result !== out) runs.push(lowerCopy(result, out, context));
  return (addresses) => runs.forEach((run) => run(addresses));
}
