import type { Attrs, Shape } from "@weft/tensor-core";
import { type Bounds, Writer } from "./bounds.js";
import { Sum } from "./sums.js";

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** […, M, K] · […, K, N]. */
export function matmulBounds([a, b]: readonly Bounds[], [from]: readonly Shape[], to: Shape): Bounds {
  const [m, n] = to.slice(-2) as [number, number];
  const k = from!.at(-1)!;
  const result = new Writer(sizeOf(to));
  for (let at = 0; at < result.lo.length; at++) {
    const [batch, i, j] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
    const sum = new Sum();
    for (let p = 0; p < k; p++) sum.addProduct(a!, (batch * m + i) * k + p, b!, (batch * k + p) * n + j);
    sum.store(result, at);
  }
  return result;
}

/** Cross-correlation [N, C, *S] * [O, C/groups, *K]. */
export function convBounds([x, w]: readonly Bounds[], [from, kernel]: readonly Shape[], to: Shape, attrs: Attrs): Bounds {
  const numbers = (name: string): readonly number[] => attrs[name] as readonly number[];
  const [stride, dilation, spread] = [numbers("stride"), numbers("dilation"), numbers("inputDilation")];
  const padding = attrs.padding as readonly (readonly number[])[];
  const [channels, outChannels] = [kernel![1]!, to[1]!];
  const perGroup = outChannels / (attrs.groups as number);
  const [space, taps, inputs] = [to.slice(2), kernel!.slice(2), from!.slice(2)];
  const coordinates = (at: number, shape: Shape): number[] => {
    const c = shape.map(() => 0);
    for (let axis = shape.length - 1, rest = at; axis >= 0; axis--) {
      c[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return c;
  };
  const result = new Writer(sizeOf(to));
  for (let at = 0; at < result.lo.length; at++) {
    const [n, o, ...s] = coordinates(at, to) as [number, number, ...number[]];
    const sum = new Sum();
    for (let tap = 0; tap < sizeOf(taps); tap++) {
      const t = coordinates(tap, taps);
      let place = 0;
      space.forEach((_, axis) => {
        const wide = s[axis]! * stride[axis]! + t[axis]! * dilation[axis]! - padding[axis]![0]!;
        const inside = wide >= 0 && wide % spread[axis]! === 0 && wide / spread[axis]! < inputs[axis]!;
        place = place < 0 || !inside ? -1 : place * inputs[axis]! + wide / spread[axis]!;
      });
      if (place < 0) continue;
      for (let c = 0; c < channels; c++) {
        const channel = Math.floor(o / perGroup) * channels + c;
        sum.addProduct(x!, (n * from![1]! + channel) * sizeOf(inputs) + place, w!, (o * channels + c) * sizeOf(taps) + tap);
      }
    }
    sum.store(result, at);
  }
  return result;
}
