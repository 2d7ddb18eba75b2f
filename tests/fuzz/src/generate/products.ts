import type { Draw, Generator, Value, Wish } from "./draw.js";

const tame: Wish = { dtype: "float", tame: true };
/** A float that may differ in dtype from its partner, as weights do from activations. */
export const float = (draw: Draw, shape: readonly number[]): Value => draw.shaped(shape, { dtype: "float", tame: true });

export const matmul: Generator = (draw) => {
  const { random } = draw;
  const a = draw.value({ ...tame, rank: [1, 4] });
  const k = a.shape.at(-1)!;
  if (random.chance(0.3)) {
    const out = draw.length();
    const weight = float(draw, [out, k]);
    return random.chance(0.5) ? draw.call("linear", a, weight) : draw.call("linear", a, weight, float(draw, [out]));
  }
  if (a.shape.length < 2 || random.chance(0.15)) return draw.call("matmul", a, float(draw, random.chance(0.3) ? [k] : [k, draw.length()]));
  const batch = a.shape.slice(0, -2).map((d) => (random.chance(0.2) ? 1 : d));
  const b = float(draw, [...(random.chance(0.3) ? [] : batch), k, draw.length()]);
  return draw.call("matmul", a, random.chance(0.3) ? draw.call("transpose", draw.call("transpose", b, flipped(b))[0]!, flipped(b))[0]! : b);
};

const flipped = ({ shape }: Value): number[] => [...shape.keys()].toReversed();

export const conv: Generator = (draw) => {
  const { random } = draw;
  const spatial = random.pick([1, 1, 2, 2, 2, 3]);
  const groups = random.pick([1, 1, 1, 2, 3]);
  const [perGroup, outPerGroup] = [random.int(1, 3), random.int(1, 3)];
  const kernel = Array.from({ length: spatial }, () => random.int(1, 3));
  const dilation = random.pick([1, 1, 2]);
  const length = (): number => (draw.large ? random.int(8, 24) : random.int(2 + 2 * dilation, 8));
  const shape = [random.int(1, 2), groups * perGroup, ...kernel.map(length)];
  const x = draw.values.find((v) => v.tame && v.shape.join() === shape.join()) ?? float(draw, shape);
  const weight = float(draw, [groups * outPerGroup, perGroup, ...kernel]);
  const padding = random.chance(0.3) ? kernel.map(() => [random.int(0, 2), random.int(-1, 2)]) : random.int(0, 2);
  return draw.call("conv", x, weight, { stride: random.int(1, 2), padding, dilation, groups, inputDilation: random.pick([1, 1, 1, 2]) });
};

export const full: Generator = (draw) => {
  const dtype = draw.dtype();
  return draw.call("full", draw.shape(draw.random.int(0, 3)), draw.random.pick([0, 1, 2, 5]), dtype);
};
export const iota: Generator = (draw) => {
  const shape = draw.shape(draw.random.int(1, 3));
  return draw.call("iota", shape, draw.random.int(0, shape.length - 1));
};
export const random: Generator = (draw) => {
  const key = draw.leaf([2], "i32", "special");
  return draw.call(draw.random.pick(["randomBits", "uniform"]), key, draw.shape(draw.random.int(1, 2)));
};
