import { type SafetensorsDType, toCoreDType, type WeightSource } from "@weft/io-safetensors";
import { isFloat, MatchError } from "@weft/tensor-core";
import { quantizationOf } from "../quantization-of.js";

/** A weight that both checkpoints have. */
export interface Pair {
  /** Name of the tensor in both. */
  readonly name: string;
  /** Path of its module. */
  readonly path: string;
  readonly shape: readonly number[];
  /** Bytes that are read for it. */
  readonly bytes: number;
}

/** A tensor that no factors are made for. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
  /** Both have it in one shape, so that it can be told whether it changed. */
  readonly comparable: boolean;
}

export interface Pairs {
  readonly pairs: readonly Pair[];
  readonly leftOut: readonly LeftOut[];
}

/** Names of tables that are looked up, not multiplied with. */
const EMBEDDING = /(?:^|[._])(?:embed\w*|wte|wpe|\w*embeddings?|token_embd|shared)$/;
/** Output layers, which PEFT's `all-linear` leaves out, too. */
const HEAD = /(?:^|\.)(?:lm_head|embed_out|output|score|classifier)$/;

const floating = (dtype: SafetensorsDType): boolean => {
  const core = toCoreDType(dtype);
  return core !== undefined && isFloat(core);
};

/**
 * Which weights of two checkpoints become modules of an adapter: matrices and kernels of one shape in both; embeddings and output layers only by name.
 * @param targets last parts of module paths, or whole ones; all linear and convolution layers if not given
 * @throws MatchError kind `no-match` if there are none
 */
export function findPairs(base: WeightSource, tuned: WeightSource, targets: readonly string[] | undefined): Pairs {
  const quantized = new Map([...quantizationOf(base).weights, ...quantizationOf(tuned).weights]);
  const pairs: Pair[] = [];
  const leftOut: LeftOut[] = [];
  for (const name of [...tuned.names()].sort()) {
    const { dtype, shape, bytes } = tuned.info(name);
    const skip = (reason: string, comparable = true): void => void leftOut.push({ name, reason, comparable });
    if (!base.has(name)) {
      skip("the base does not have it", false);
      continue;
    }
    const before = base.info(name);
    const path = name.slice(0, -".weight".length);
    const format = quantized.get(path) ?? quantized.get(name.slice(0, name.lastIndexOf(".")));
    if (format !== undefined) skip(`it is quantised (${format}); extract from the 16-bit checkpoints`);
    else if (before.shape.join() !== shape.join()) skip(`it was resized from [${before.shape}] to [${shape}]`, false);
    else if (!floating(dtype) || !floating(before.dtype))
      skip(`it is stored as ${floating(dtype) ? before.dtype : dtype}`, before.dtype === dtype);
    else if (!name.endsWith(".weight") || shape.length < 2 || shape.includes(0)) skip("it is no matrix that layers multiply with");
    else if (shape.length > 5) skip(`no layer has a weight of ${shape.length} axes`);
    else if (targets ? !targets.some((t) => path === t || path.endsWith(`.${t}`)) : EMBEDDING.test(path) || HEAD.test(path))
      skip(targets ? "--target does not name it" : "embeddings and output layers are extracted only where --target names them");
    else pairs.push({ name, path, shape, bytes: bytes + before.bytes });
  }
  for (const name of base.names())
    if (!tuned.has(name)) leftOut.push({ name, reason: "the tuned checkpoint does not have it", comparable: false });
  if (pairs.length === 0)
    throw new MatchError("the two checkpoints have no weight in common that an adapter could be made of", {
      kind: "no-match",
      hint:
        quantized.size > 0
          ? `weights are quantised (${quantized.values().next().value}): extract from the 16-bit checkpoints`
          : targets
            ? "--target takes last parts of module paths: q_proj,v_proj"
            : "are these two versions of one model?",
    });
  return { pairs, leftOut };
}
