import {
  add,
  type AdapterMethod,
  type ConfigClass,
  configClass,
  ConfigError,
  dropout,
  featuresOf,
  type FieldTable,
  gather,
  integer,
  type LayerSpec,
  matmul,
  MAX_RANK,
  oneOf,
  pad,
  reshape,
  type Shape,
  sum,
  swapLast,
  TARGETING,
  tensor,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import { additive, requireKind, rewriting, trained, wide } from "./define.js";

/** PEFT 0.21.2's `MissConfig`. @see peft `tuners/miss/config.py` */
const FIELDS: FieldTable = {
  ...TARGETING,
  r: integer(64, 1, MAX_RANK),
  miss_dropout: dropout(),
  mini_r: integer(1, 1, MAX_RANK),
  init_weights: oneOf<boolean | string>(true, [true, false, "bat", "mini"]),
  bias: oneOf("none", ["none", "all", "MiSS_only"]),
};

/** The config of a MiSS adapter. */
export interface MissConfigFields {
  readonly r: number;
  readonly miniR: number;
  /** The variant: `bat` changes blocks of the weight by products with them, `mini` repeats a narrow block. */
  readonly initWeights: boolean | "bat" | "mini";
}

export const MissConfig: ConfigClass<MissConfigFields> = configClass("MISS", FIELDS);

/** 0 … n-1 over and over. */
const cycle = (n: number, length: number): Tensor =>
  tensor(
    Int32Array.from({ length }, (_, i) => i % n),
    { shape: [length] },
  );

/** The block [r, out]; of `mini`, one [r, mini_r] repeated. */
function wholeBlock(block: Tensor, { initWeights }: MissConfigFields, layer: LayerSpec): Tensor {
  const width = block.shape[1]!;
  return initWeights === "mini" ? gather(wide(block), cycle(width, featuresOf(layer).out), 1) : wide(block);
}

function shapeOf({ r, miniR, initWeights }: MissConfigFields, layer: LayerSpec): number[] {
  const { in: inputs, out } = featuresOf(layer);
  if (r > inputs) throw new ConfigError(`MISS: r = ${r} is more than the ${inputs} inputs`);
  if (initWeights === "bat" && (inputs % r !== 0 || out % r !== 0))
    throw new ConfigError(`MISS bat: r = ${r} must divide ${inputs} inputs and ${out} outputs`);
  if (initWeights === "mini" && out % miniR !== 0) throw new ConfigError(`MISS mini: mini_r = ${miniR} must divide ${out} outputs`);
  return initWeights === "bat" ? [out / r, r, r] : [r, initWeights === "mini" ? miniR : out];
}

const definition = {
  name: "MISS",
  prefix: "miss_",
  fields: FIELDS,
  configFromShapes(config: MissConfigFields, _: LayerSpec, { block }: { readonly [name: string]: Shape }): MissConfigFields {
    if (block?.length === 3) return { ...config, r: block[1]!, initWeights: "bat" };
    return block ? { ...config, r: block[0]!, ...(config.initWeights === "mini" && { miniR: block[1]! }) } : config;
  },
  parameters(config: MissConfigFields, layer: LayerSpec) {
    requireKind("MISS", layer);
    return { block: trained(shapeOf(config, layer), { kind: config.initWeights === false ? "kaimingUniform" : "zeros" }) };
  },
  keys: () => ({ block: ["miss_block"] }),
};

const PLAIN = additive<MissConfigFields>({
  ...definition,
  change({ block }, config, layer) {
    const r = block!.shape[0]!;
    return swapLast(gather(wholeBlock(block!, config, layer), cycle(r, featuresOf(layer).in)));
  },
  added(x, { block }, config, layer) {
    const [r, inputs] = [block!.shape[0]!, x.shape.at(-1)!];
    const none = x.shape.map(() => 0);
    const padded = pad(wide(x), none, [...none.slice(1), (r - (inputs % r)) % r]);
    const groups = reshape(padded, [...x.shape.slice(0, -1), -1, r]);
    return matmul(sum(groups, { axes: [groups.shape.length - 2] }), wholeBlock(block!, config, layer));
  },
});

const BAT = rewriting<MissConfigFields>({
  ...definition,
  change(weight, { block }) {
    const [n, r] = block!.shape as [number, number];
    const M = reshape(wide(block!), [n, 1, r, r]);
    const blocks = transpose(reshape(weight, [n, r, -1, r]), [0, 2, 1, 3]);
    return reshape(transpose(add(matmul(blocks, M), M), [0, 2, 1, 3]), weight.shape);
  },
});

const isBat = ({ initWeights }: MissConfigFields): boolean => initWeights === "bat";

/**
 * MiSS (Kang & Yin 2024, once Bone): the sums of every r-th input times a block M [r, out], ΔW[o, i] = M[i mod r, o]; `mini` repeats a block
 * [r, mini_r] over the outputs; `bat` changes each r × r block of the weight by W_b·M_j + M_j with M [out/r, r, r]. Linear.
 * @see peft `tuners/miss/layer.py`
 */
export const MISS: AdapterMethod<MissConfigFields> = {
  ...PLAIN,
  transform: (weight, params, context, unmerged) => (isBat(context.config) ? BAT.transform!(weight, params, context, unmerged) : undefined),
  forward: (x, base, params, context, drop) => (isBat(context.config) ? BAT : PLAIN).forward(x, base, params, context, drop),
};
