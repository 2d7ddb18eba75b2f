import { PRIMITIVES, type Primitive } from "@weft/tensor-core";
import type { Random } from "../random.js";
import * as axis from "./along-axis.js";
import * as composite from "./composites.js";
import { Draw, type Generator, Unsuitable } from "./draw.js";
import * as elementwise from "./elementwise.js";
import * as gradients from "./gradients.js";
import * as movement from "./movement.js";
import * as product from "./products.js";

const namesOf = (group: Primitive["group"]): string[] =>
  Object.values(PRIMITIVES)
    .filter((p) => p.group === group && p.name !== "cast" && p.name !== "bitcast")
    .map((p) => p.name);

type Table = Readonly<Record<string, Generator>>;

/** How often each kind of operation is drawn. */
const FAMILIES: readonly { readonly weight: number; readonly generators: Table }[] = [
  {
    weight: 26,
    generators: {
      ...Object.fromEntries(namesOf("unary").map((op) => [op, elementwise.unaryGenerator(op)])),
      ...Object.fromEntries(namesOf("binary").map((op) => [op, elementwise.binaryGenerator(op)])),
    },
  },
  {
    weight: 12,
    generators: {
      where: elementwise.where,
      cast: elementwise.cast,
      bitcast: elementwise.bitcast,
      barrier: elementwise.barrier,
      stopGradient: elementwise.stopGradient,
    },
  },
  { weight: 3, generators: { full: product.full, iota: product.iota, random: product.random } },
  {
    weight: 24,
    generators: {
      reshape: movement.reshape,
      transpose: movement.transpose,
      broadcast: movement.broadcast,
      slice: movement.slice,
      flip: movement.flip,
      pad: movement.pad,
      concat: movement.concat,
    },
  },
  {
    weight: 14,
    generators: {
      reduce: axis.reduce,
      argreduce: axis.argreduce,
      scan: axis.scan,
      argsort: axis.argsort,
      gather: axis.gather,
      lookup: axis.lookup,
      scatterAdd: axis.scatterAdd,
      dynamicSlice: axis.dynamicSlice,
      update: axis.update,
    },
  },
  { weight: 9, generators: { matmul: product.matmul, conv: product.conv } },
  {
    weight: 12,
    generators: {
      adamwStep: composite.adamwStep,
      attention: composite.attention,
      attentionBackward: gradients.attentionBackward,
      blockRotate: composite.blockRotate,
      cayley: composite.cayley,
      checkpoint: composite.checkpoint,
      clipByGlobalNorm: composite.clipByGlobalNorm,
      globalNorm: composite.globalNorm,
      inverse: composite.inverse,
      kron: composite.kron,
      kronLinear: composite.kronLinear,
      layerNorm: composite.layerNorm,
      loraFactorGradients: gradients.loraBackward,
      loraLinear: composite.loraLinear,
      loraLinearBackward: gradients.loraBackward,
      mergeLowRank: composite.mergeLowRank,
      dequantize: composite.dequantize,
      multiLora: composite.multiLora,
      normWeightGradient: gradients.normWeightGradient,
      rmsNorm: composite.rmsNorm,
      rope: composite.rope,
      selectiveScan: composite.selectiveScan,
      sgdStep: composite.sgdStep,
      softmax: composite.softmax,
      softmaxCrossEntropy: composite.softmaxCrossEntropy,
      softmaxCrossEntropyBackward: gradients.softmaxCrossEntropyBackward,
      swiglu: composite.swiglu,
      topK: composite.topK,
      weightNorm: composite.weightNorm,
      wkv: composite.wkv,
    },
  },
];
/** What makes no primitive or composite of its own, but graphs that models have. */
const FURTHER: readonly Generator[] = [gradients.gradient, elementwise.activation, movement.split];

/** A generator for every primitive and composite of tensor-core. */
export const GENERATORS: Table = Object.assign({}, ...FAMILIES.map((f) => f.generators)) as Table;

function pickGenerator(random: Random): Generator {
  if (random.chance(0.1)) return random.pick(FURTHER);
  let rest = random.next() * FAMILIES.reduce((sum, f) => sum + f.weight, 0);
  const family = FAMILIES.find((f) => (rest -= f.weight) < 0) ?? FAMILIES[0]!;
  return random.pick(Object.values(family.generators));
}

/** Goes on with a program by one generator; false if it leads nowhere. */
export function tryGenerator(draw: Draw, generator: Generator): boolean {
  try {
    generator(draw);
    return true;
  } catch (error) {
    if (error instanceof Unsuitable) return false;
    throw error;
  }
}

/** A program of some random calls. @param first begins with this generator */
export function drawProgram(random: Random, first?: Generator): Draw {
  const draw = new Draw(random, random.chance(0.03));
  if (first) for (let i = 0; i < 50 && !tryGenerator(draw, first); i++);
  for (let calls = random.int(1, draw.large ? 6 : random.pick([4, 10, 18])); calls > 0; calls--) tryGenerator(draw, pickGenerator(random));
  return draw;
}
