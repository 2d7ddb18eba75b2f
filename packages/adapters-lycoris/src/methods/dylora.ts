import { checkRank } from "@weft/tensor-core/methods";
import {
  type AdapterContext,
  add,
  concat,
  ConfigError,
  div,
  type FieldTable,
  floor,
  integer,
  iota,
  less,
  mul,
  type Params,
  reshape,
  slice,
  stopGradient,
  type Tensor,
  where,
} from "@weft/tensor-core";
import { LYCORIS_FIELDS, type RankConfig, rankScale } from "../config.js";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { type Factors, lowRankDelta, lowRankEffect, trained } from "../parts/low-rank.js";

export interface DyloraConfig extends RankConfig {
  /** Ranks are trained in blocks of this many. */
  readonly blockSize: number;
  /** Block that a training step trains: those before it are frozen, those behind it left out. Drawn in training, and all of them, as deployed, elsewhere, if not given. */
  readonly activeBlock?: number;
}

const FIELDS: FieldTable = { ...LYCORIS_FIELDS, block_size: integer(4, 1, 65536) };

/** A mask of the ranks along an axis of a factor. */
const along = (mask: Tensor, { shape }: Tensor, axis: number): Tensor =>
  reshape(
    mask,
    shape.map((_, i) => (i === axis ? -1 : 1)),
  );

type Used = Factors & { readonly scale: number | Tensor };

/**
 * The factors with a block b that is drawn, each block as likely as another: what is before it gets no gradient, what is behind it is 0. The block is data, so that one plan
 * serves all steps.
 */
function drawn({ up, down }: Params, { blockSize, r, alpha }: DyloraConfig, uniform: NonNullable<AdapterContext<never>["uniform"]>): Used {
  const block = floor(mul(uniform([]), Math.ceil(r / blockSize)));
  const rank = iota([r], 0);
  const before = less(rank, mul(block, blockSize));
  const used = less(rank, mul(add(block, 1), blockSize));
  const frozen = (t: Tensor, axis: number): Tensor => where(along(before, t, axis), stopGradient(t), t);
  const scale = div(alpha ?? r, add(block, 1));
  return { up: where(along(used, up!, 1), frozen(up!, 1), 0), down: frozen(down!, 0), scale };
}

/** The factors in use and their scale: alpha / r, in training alpha / (number of blocks in use). */
function active({ up, down }: Params, config: DyloraConfig, uniform: AdapterContext<never>["uniform"]): Used {
  const { activeBlock: block, blockSize, r, alpha } = config;
  if (block === undefined && uniform) return drawn({ up: up!, down: down! }, config, uniform);
  if (block === undefined) return { up: up!, down: down!, scale: rankScale(config) };
  if (!Number.isInteger(block) || block < 0 || block * blockSize >= r)
    throw new ConfigError(`DYLORA: block ${block} of ${blockSize} ranks does not exist at rank ${r}`);
  const [start, stop] = [block * blockSize, Math.min(r, (block + 1) * blockSize)];
  const take = (t: Tensor, axis: number): Tensor => {
    const part = (from: number, to: number): Tensor => slice(t, axis === 0 ? [[from, to]] : [undefined, [from, to]]);
    return start === 0 ? part(0, stop) : concat([stopGradient(part(0, start)), part(start, stop)], axis);
  };
  return { up: take(up!, 1), down: take(down!, 0), scale: (alpha ?? r) / (block + 1) };
}

/**
 * DyLoRA: a LoRA of which every prefix of the ranks is of use. Its files are LoCon's but for `lora_up` [out, r], also for convolutions;
 * detection therefore gives LOCON, and this is the method to train with.
 * @see Valipour et al. 2022; lycoris `modules/dylora.py`
 */
export const DYLORA: LycorisMethod<DyloraConfig> = lycorisMethod<DyloraConfig>({
  name: "DYLORA",
  prefix: "lora_",
  fields: FIELDS,
  checkNew: checkRank,
  suffixes: { down: "lora_down.weight", up: "lora_up.weight" },
  scalars: ["alpha"],
  parameters: ({ r }, { shape: [out, ...rest] }) => ({ down: trained([r, ...rest], "kaimingUniform"), up: trained([out!, r], "zeros") }),
  configFromShapes: (config, _, { down }) => withValues(config, { r: down?.[0] ?? config.r }),
  delta(params, { layer, config, uniform }) {
    const factors = active(params, config, uniform);
    return mul(lowRankDelta(factors, layer), factors.scale);
  },
  effect(x, params, { layer, config, uniform }) {
    const factors = active(params, config, uniform);
    const y = lowRankEffect(x, factors, layer);
    return y && mul(y, factors.scale);
  },
});
