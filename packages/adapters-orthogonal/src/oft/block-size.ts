import { ConfigError } from "@weft/tensor-core";
import type { OFTConfigFields } from "./config.js";

/** The divisor of `width` that is nearest to `wanted`, the smaller of two; `width` itself if `wanted` is no less. @see peft `OFTLayer.adjust_oft_parameters` */
function nearestDivisor(width: number, wanted: number): number {
  if (wanted >= width) return width;
  let [low, high] = [wanted, wanted];
  while (width % low !== 0) low--;
  while (width % high !== 0) high++;
  return wanted - low <= high - wanted ? low : high;
}

/** The size of the blocks that rotate `width` features. @throws ConfigError unless exactly one of r and oft_block_size is given */
export function blockSize({ r, oftBlockSize }: Pick<OFTConfigFields, "r" | "oftBlockSize">, width: number): number {
  if ((r === 0) === (oftBlockSize === 0))
    throw new ConfigError(`OFT needs either r or oft_block_size to be non-zero, got r = ${r} and oft_block_size = ${oftBlockSize}`, {
      hint: "oft_block_size is 32 if not given: set it to 0 where r is given",
    });
  return r === 0 ? nearestDivisor(width, oftBlockSize) : width / nearestDivisor(width, r);
}

/** The b of b·(b-1)/2 entries above a diagonal. @throws ConfigError if no block has so many */
export function blockSizeOf(entries: number): number {
  const b = Math.round((1 + Math.sqrt(1 + 8 * entries)) / 2);
  if ((b * (b - 1)) / 2 !== entries)
    throw new ConfigError(`OFT: ${entries} entries per block are not those above the diagonal of a matrix`);
  return b;
}
