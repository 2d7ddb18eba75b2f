import {
  type AdapterMethod,
  add,
  configClass,
  type ConfigClass,
  gather,
  matmul,
  oneOf,
  pad,
  reshape,
  sum,
  swapLast,
  tensor,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import {
  additive,
  type Definition,
  fields,
  last,
  rank,
  requireAtMost,
  requireMultiples,
  rewriting,
  type Size,
  trained,
} from "@weft/tensor-core/methods";

/** The config of a MiSS adapter. */
export interface MissConfigFields {
  readonly r: number;
  readonly miniR: number;
  /** The variant: `bat` changes blocks of the weight by products with them, `mini` repeats a narrow block. */
  readonly initWeights: boolean | "bat" | "mini";
}

const FIELDS = fields("miss", ["dropout"], {
  r: rank(64),
  mini_r: rank(1),
  init_weights: oneOf<boolean | string>(true, [true, false, "bat", "mini"]),
  bias: oneOf("none", ["none", "all", "MiSS_only"]),
});

/** PEFT's `MissConfig` (`peft_type` MISS): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const MissConfig: ConfigClass<MissConfigFields> = configClass("MISS", FIELDS);

/** 0 … n-1 over and over. */
const cycle = (n: number, length: number): Tensor =>
  tensor(
    Int32Array.from({ length }, (_, i) => i % n),
    { shape: [length] },
  );

/** The block [r, out]; of `mini`, one [r, mini_r] repeated. */
const wholeBlock = (block: Tensor, { initWeights }: MissConfigFields, { out }: Size): Tensor =>
  initWeights === "mini" ? gather(block, cycle(block.shape[1]!, out), 1) : block;

const definition: Definition<MissConfigFields> = {
  name: "MISS",
  prefix: "miss_",
  fields: FIELDS,
  configFromShapes(config, _, { block }) {
    if (block?.length === 3) return { ...config, r: block[1]!, initWeights: "bat" };
    return block ? { ...config, r: block[0]!, ...(config.initWeights === "mini" && { miniR: block[1]! }) } : config;
  },
  parameters({ r, miniR, initWeights }, size) {
    requireAtMost("MISS", "r", r, size.in);
    if (initWeights === "bat") {
      requireMultiples("MISS", "r", r, [size.in, size.out]);
      return { block: trained([size.out / r, r, r]) };
    }
    const mini = initWeights === "mini";
    if (mini) requireMultiples("MISS", "mini_r", miniR, [size.out]);
    return { block: trained([r, mini ? miniR : size.out], last(initWeights)) };
  },
  names: ["block"],
};

const PLAIN = additive<MissConfigFields>({
  ...definition,
  change: ({ block }, config, size) => swapLast(gather(wholeBlock(block!, config, size), cycle(config.r, size.in))),
  added(x, { block }, config, size) {
    const none = x.shape.map(() => 0);
    const padded = pad(x, none, [...none.slice(1), (config.r - (size.in % config.r)) % config.r]);
    const groups = reshape(padded, [...x.shape.slice(0, -1), -1, config.r]);
    return matmul(sum(groups, { axes: [-2] }), wholeBlock(block!, config, size));
  },
});

const BAT = rewriting<MissConfigFields>({
  ...definition,
  change(weight, { block }, { r }) {
    const M = reshape(block!, [-1, 1, r, r]);
    const blocks = transpose(reshape(weight, [-1, r, weight.shape[1]! / r, r]), [0, 2, 1, 3]);
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
