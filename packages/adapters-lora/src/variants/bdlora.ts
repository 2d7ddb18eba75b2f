import { concat, ConfigError, featuresOf, split, type Tensor, torchKaimingUniform, tensor, zeros } from "@weft/tensor-core";
import type { LoraVariant, Specs } from "./variant.js";
import type { LoraConfigFields } from "../lora/config.js";

/** The config at a module: which of its factors is block-diagonal. PEFT looks for the names anywhere in the path. @throws ConfigError if both are */
export function bdLoraAt(config: LoraConfigFields, path: string): LoraConfigFields {
  const { useBdlora } = config;
  if (!useBdlora) return config;
  const names = (list: readonly string[] | null): boolean => (list ?? []).some((name) => path.includes(name));
  const [a, b] = [names(useBdlora.targetModulesBdA), names(useBdlora.targetModulesBdB)];
  if (a && b) throw new ConfigError(`use_bdlora: ${path} matches target_modules_bd_a and target_modules_bd_b`, { tensor: path });
  return { ...config, blockDiagonal: a ? "A" : b ? "B" : null };
}

const blocksOf = ({ useBdlora }: LoraConfigFields): number => useBdlora!.nblocks;

/** Blocks [rows/n, columns] one below the other → the matrix [rows, columns·n] that has them along its diagonal. */
function blockDiagonal(stacked: Tensor, blocks: number): Tensor {
  const [rows, columns] = [stacked.shape[0]! / blocks, stacked.shape[1]!];
  const side = (count: number): Tensor[] => (count === 0 ? [] : [zeros([rows, columns * count], stacked.dtype)]);
  const parts = split(stacked, Array<number>(blocks).fill(rows), 0);
  return concat(
    parts.map((block, i) => concat([...side(i), block, ...side(blocks - 1 - i)], 1)),
    0,
  );
}

/**
 * BD-LoRA (Li et al. 2025): LoRA with a block-diagonal A or B, which servers of many adapters split without exchanging anything. What is stored are the
 * blocks one below the other: A [r, in/n] or B [out, r/n].
 * @see peft `tuners/lora/variants.py` BdLoraLinearVariant
 */
export const BDLORA: LoraVariant = {
  name: "BD-LoRA",
  field: "use_bdlora",
  kinds: ["linear"],
  parameters(plain, config, layer): Specs {
    const { blockDiagonal: factor, useBdlora, r } = config;
    if (factor === undefined || factor === null) {
      if (!useBdlora!.matchStrict) return plain;
      throw new ConfigError("use_bdlora: the module is in neither target_modules_bd_a nor target_modules_bd_b", {
        hint: "name it in one of them, or set match_strict to false",
      });
    }
    const n = blocksOf(config);
    const { in: inputs, out } = featuresOf(layer);
    const size = factor === "A" ? inputs : out;
    if (size % n !== 0 || r % n !== 0)
      throw new ConfigError(
        `use_bdlora: nblocks ${n} must divide r = ${r} and the layer's ${factor === "A" ? "inputs" : "outputs"}, ${size}`,
      );
    const { shape } = plain[factor]!;
    return { ...plain, [factor]: { ...plain[factor]!, shape: [shape[0]!, shape[1]! / n] } };
  },
  factors(params, { config }) {
    const { blockDiagonal: factor } = config;
    return factor ? { ...params, [factor]: blockDiagonal(params[factor]!, blocksOf(config)) } : params;
  },
  init(params, config, layer, generator) {
    const { blockDiagonal: factor, r } = config;
    if (!factor) return params;
    const { in: inputs, out } = featuresOf(layer);
    if (factor === "B") return { ...params, B: zeros([out, r / blocksOf(config)]) };
    const shape = [r, inputs / blocksOf(config)];
    return { ...params, A: tensor(torchKaimingUniform(generator, shape, 0), { shape }) };
  },
};
