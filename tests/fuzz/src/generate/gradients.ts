import { isFloat } from "@weft/tensor-core";
import { isLeaf, type Program, refsIn } from "../program.js";
import { attention, loraLinear, layerNorm, softmaxCrossEntropy } from "./composites.js";
import { type Draw, type Generator, Unsuitable, type Value } from "./draw.js";

/** Ids of the statements that a statement rests on. */
function ancestors(program: Program, id: number): Set<number> {
  const found = new Set<number>();
  const open = [id];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const s = program[at]!;
    if (isLeaf(s)) continue;
    for (const { of } of refsIn([...s.args])) if (!found.has(of)) open.push((found.add(of), of));
  }
  return found;
}

/** Gradients of Σ y·weights with respect to values that y rests on. */
function gradientOf(draw: Draw, y: Value, most = 2): Value[] {
  const below = ancestors(draw.program, y.ref.of);
  const candidates = draw.values.filter((v) => below.has(v.ref.of) && v.tame && isFloat(v.dtype));
  if (candidates.length === 0 || y.shape.includes(0)) throw new Unsuitable("nothing to differentiate");
  const wrt = draw.random.shuffled(candidates).slice(0, draw.random.int(1, most));
  return draw.call("gradientsOf", y, draw.shaped(y.shape, { dtype: "f32", tame: true }), wrt);
}

export const gradient: Generator = (draw) => {
  const computed = draw.values.filter((v) => v.tame && isFloat(v.dtype) && !isLeaf(draw.program[v.ref.of]!));
  if (computed.length === 0) throw new Unsuitable("nothing is computed yet");
  return gradientOf(draw, draw.random.pick(computed));
};

/** Of what a generator makes: the gradients of its first result with respect to all that it rests on. */
const gradientThrough =
  (generator: Generator): Generator =>
  (draw) => {
    const [y] = generator(draw) as Value[];
    if (!y?.tame) throw new Unsuitable("not finite");
    return gradientOf(draw, y, 8);
  };

export const attentionBackward: Generator = gradientThrough(attention);
export const loraBackward: Generator = gradientThrough(loraLinear);
export const softmaxCrossEntropyBackward: Generator = gradientThrough(softmaxCrossEntropy);
export const normWeightGradient: Generator = gradientThrough(layerNorm);
