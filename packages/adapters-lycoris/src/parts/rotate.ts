import {
  type AdapterContext,
  add,
  type BaseLayer,
  biasLike,
  blockRotate,
  boolean,
  CapabilityError,
  cast,
  cayley,
  ConfigError,
  div,
  finite,
  forwardBase,
  integer,
  isConv,
  type LayerSpec,
  MAX_RANK,
  minimum,
  mul,
  type Params,
  reshape,
  type Shape,
  sub,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import type { LycorisConfig } from "../config.js";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { safeNorm } from "./dora.js";
import { fromNhwc, toNhwc } from "./layout.js";
import { trained } from "./low-rank.js";

/** Config of the two orthogonal methods. */
export interface OftConfig extends LycorisConfig {
  /** LyCORIS' `dim`: the wished block size (diag-OFT), or the largest (BOFT). */
  readonly r: number;
  /**
   * The norm of all Q together stays at most alpha·out; 0 or null: any norm. LyCORIS' option is called `constraint`, its files say
   * `alpha`.
   */
  readonly alpha: number | null;
  /** A trained factor per row, which the strength does not fade. */
  readonly rescaled: boolean;
  /** Number of blocks that a file has, for BOFT behind that of its stages. Set by `configFromShapes`. */
  readonly counts?: Shape;
}

/** What tells the two apart. */
interface Rotation {
  readonly name: string;
  /** Whether blocks of so many axes are its own: BOFT's have one more. */
  isOurs(axes: number): boolean;
  /** Number of blocks (BOFT: stages and blocks of each) for the wished size. */
  counts(out: number, r: number): Shape;
  /** `t`, whose last axis is that of the outputs, turned by the blocks R = (I + Q)(I - Q)⁻¹ [all, b, b] at a strength. */
  turn(t: Tensor, rotation: Tensor, counts: Shape, strength: number): Tensor;
}

/** R = (I + Q)(I - Q)⁻¹ of each block, Q = B - Bᵀ scaled down to the constraint. blocks [n, b, b] (or [m, n, b, b], as one list). */
function rotations(blocks: Tensor, out: number, alpha: number | null): Tensor {
  const b = blocks.shape.at(-1)!;
  const list = reshape(blocks, [-1, b, b]);
  // The composite is (I - Q)(I + Q)⁻¹.
  const q = sub(swapLast(list), list);
  if (!alpha || alpha < 0) return cayley(q);
  const size = add(safeNorm(q), 1e-8);
  return cayley(mul(q, div(minimum(size, alpha * out), size)));
}

/** c·(t turned by R) + (1 - c)·t: blocks R [n, b, b] on the last axis, y[k·b + j] = Σᵢ t[k·b + i]·R[k, i, j], faded by the strength c. */
export function turnBlocks(t: Tensor, rotation: Tensor, strength: number): Tensor {
  const turned = blockRotate(t, rotation);
  return strength === 1 ? turned : add(mul(turned, strength), mul(t, 1 - strength));
}

/** Rows that are mixed with each other: a block, or the largest chunk of a BOFT's stages. */
const chunkOf = (counts: Shape, size: number): number => size * (counts.length === 1 ? 1 : 2 ** (counts[0]! - 1));

/** The layer's result turned, its bias left alone: what turning the rows of W does, at the cost of the outputs instead of W. */
function turnOutput(x: Tensor, base: BaseLayer, turn: (t: Tensor) => Tensor, layer: LayerSpec): Tensor {
  const y = forwardBase(layer, base, x);
  const bias = base.bias && biasLike(layer, base.bias);
  const plain = bias ? sub(y, bias) : y;
  const turned = isConv(layer) ? fromNhwc(turn(toNhwc(plain))) : turn(plain);
  return bias ? add(turned, bias) : turned;
}

/** A method that turns the rows of W by blocks from Cayley's transform. */
export function oftMethod({ name, isOurs, counts: defaultCounts, turn }: Rotation): LycorisMethod<OftConfig> {
  function turnOf({ blocks, rescale }: Params, { layer, config, scale }: AdapterContext<OftConfig>): (t: Tensor) => Tensor {
    const rotation = rotations(blocks!, layer.shape[0]!, config.alpha);
    return (t) => {
      const turned = turn(t, rotation, blocks!.shape.slice(0, -2), scale);
      return rescale ? mul(turned, reshape(rescale, [-1])) : turned;
    };
  }
  return lycorisMethod<OftConfig>({
    name,
    prefix: "oft_",
    fields: { r: integer(4, 2, MAX_RANK), alpha: finite(0), rescaled: boolean(false) },
    suffixes: { blocks: "oft_blocks", rescale: "rescale" },
    marks: { oft_blocks: 7 },
    isOurs: (tensors) => isOurs(tensors.get("oft_blocks")?.shape.length ?? 0),
    scalars: ["alpha"],
    parameters({ r, counts, rescaled }, { shape: [out, ...rest] }) {
      const list = counts ?? defaultCounts(out!, r);
      const size = Math.floor(out! / list.at(-1)!);
      if (out! % chunkOf(list, size) !== 0) throw new ConfigError(`${name}: [${list}] blocks of ${size} do not fit ${out} outputs`);
      return {
        blocks: trained([...list, size, size], "zeros"),
        ...(rescaled && { rescale: trained([out!, ...rest.map(() => 1)], "ones") }),
      };
    },
    configFromShapes: (config, _, { blocks, rescale }) =>
      withValues(config, { ...(blocks && { counts: blocks.slice(0, -2) }), rescaled: rescale !== undefined }),
    transform(weight, params, context) {
      const [out, groups] = [context.layer.shape[0]!, context.layer.conv?.groups ?? 1];
      const { shape } = params.blocks!;
      if ((out / groups) % chunkOf(shape.slice(0, -2), shape.at(-1)!) !== 0)
        throw new CapabilityError(`${name}: the rotation crosses the ${groups} groups of the convolution; no weight does that`, {
          hint: "keep the adapter unmerged",
        });
      return reshape(swapLast(turnOf(params, context)(swapLast(reshape(weight, [out, -1])))), context.layer.shape);
    },
    forward: (x, base, params, context) => turnOutput(cast(x, "f32"), base, turnOf(params, context), context.layer),
  });
}
