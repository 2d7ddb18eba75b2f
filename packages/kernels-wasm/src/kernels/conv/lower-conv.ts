import { type Operand, sizeOf } from "@weft/tensor-core";
import { addressOf, type LowerContext, type Run } from "../../lower/context.js";
import { lowerCopy } from "../../lower/fused.js";
import { lowerProduct } from "../product/lower-product.js";
import { converted, type OpStep, sequence } from "../../lower/steps.js";

/** Bytes of patches at a time. */
const PATCH_BYTES = 32 << 20;

type Triple<Name extends string> = { readonly [axis in `${Name}${"Depth" | "Height" | "Width"}`]: number };

/** One value for each of three axes; those that are missing come first. */
function triple<const Name extends string>(name: Name, values: readonly number[], fill: number): Triple<Name> {
  const [depth, height, width] = [...new Array<number>(3 - values.length).fill(fill), ...values];
  return { [`${name}Depth`]: depth, [`${name}Height`]: height, [`${name}Width`]: width } as Triple<Name>;
}

/** Convolution in one, two or three dimensions as patches (im2col) times weights, per image and group, in f32. */
export function lowerConv({ attrs, inputs, outputs }: OpStep, context: LowerContext): Run | undefined {
  const [x, w] = inputs as [Operand, Operand];
  const [out] = outputs as [Operand];
  const spatial = x.shape.length - 2;
  if (spatial > 3 || sizeOf(out.shape) === 0) return undefined;
  const runs: Run[] = [];
  const [image, weight] = [converted("f32", x, context, runs), converted("f32", w, context, runs)];
  const result: Operand = out.dtype === "f32" ? out : context.temporary(out.shape, "f32");
  const groups = attrs.groups as number;
  const [batch, channels] = x.shape as [number, number];
  const [outChannels, perGroup] = w.shape as [number, number];
  const [inSize, kernel, space] = [x.shape, w.shape, out.shape].map((s) => s.slice(2)) as [number[], number[], number[]];
  const depth = perGroup * sizeOf(kernel);
  const positions = sizeOf(space);
  const tile = Math.max(8, Math.min(positions, Math.floor(PATCH_BYTES / (4 * Math.max(1, depth)))));
  const patches = context.temporary([depth, tile], "f32");
  const low = (attrs.padding as readonly (readonly number[])[]).map((p) => p[0]!);
  const geometry = {
    ...triple("in", inSize, 1),
    ...triple("kernel", kernel, 1),
    ...triple("out", space, 1),
    ...triple("stride", attrs.stride as number[], 1),
    ...triple("dilation", attrs.dilation as number[], 1),
    ...triple("spread", attrs.inputDilation as number[], 1),
    ...triple("low", low, 0),
  };
  const { pool } = context;
  const each = outChannels / groups;
  for (let first = 0; first < positions; first += tile) {
    const count = Math.min(tile, positions - first);
    const args = context.args("im2col", { x: 0, result: 0, first, positions: count, ...geometry });
    const columns: Operand = { ...patches, shape: [depth, count], strides: [count, 1] };
    for (let n = 0; n < batch; n++) {
      for (let g = 0; g < groups; g++) {
        const from: Operand = { ...image, offset: image.offset + (n * channels + g * perGroup) * sizeOf(inSize) };
        const filters: Operand = { ...weight, shape: [each, depth], strides: [depth, 1], offset: weight.offset + g * each * depth };
        const to: Operand = {
          ...result,
          shape: [each, count],
          strides: [positions, 1],
          offset: result.offset + (n * outChannels + g * each) * positions + first,
        };
        runs.push((addresses) => {
          args.set("x", addressOf(from, addresses));
          args.set("result", addressOf(patches, addresses));
          pool.run(args, depth, depth * count < 1 << 15);
        });
        runs.push(context.scoped(() => lowerProduct(filters, columns, to, context)));
      }
    }
  }
  if (result !== out) runs.push(lowerCopy(result, out, context));
  return sequence(runs);
}
