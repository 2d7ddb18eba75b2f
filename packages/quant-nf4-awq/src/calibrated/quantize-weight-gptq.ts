import type { MatrixShape } from "@weft/tensor-core";
import { gptq, type GptqOptions } from "../integer/gptq.js";
import type { IntegerFormat } from "../integer/integer-format.js";
import type { QuantizedWeight } from "../quant-format.js";
import type { GptqFactor } from "./gptq-factor.js";
import { type GptqGrids, type GptqSolution, type GptqSolverOptions, solveByFactor, solveGptq } from "./gptq-solver.js";
import type { InputStatistics } from "./input-statistics.js";

/** How GPTQ quantises, and into which variant of its layout. */
export interface QuantizeGPTQOptions extends GptqOptions, GptqSolverOptions {
  /** Default `gptq` (v1) for `sym`, else `gptq_v2`, as v1 holds no zero point of 0. */
  readonly checkpointFormat?: "gptq" | "gptq_v2";
}

/** The variant of the layout that options ask for. */
export const gptqFormat = ({
  bits = 4,
  groupSize = 128,
  sym = true,
  checkpointFormat = sym ? "gptq" : "gptq_v2",
}: QuantizeGPTQOptions): IntegerFormat => gptq({ bits, groupSize, sym, checkpointFormat });

/** A weight that was quantised by what its inputs are. */
export interface CalibratedWeight {
  readonly weight: QuantizedWeight;
  /** Mean over the calibration's tokens of ‖x·(Ŵ - W)ᵀ‖², before scales are rounded to what the layout holds. */
  readonly loss: number;
}

/**
 * Quantises one weight with GPTQ, by the statistics of its inputs.
 * @param weight f32 [out, in], row-major
 * @throws as `solveGptq`; ShapeError for sizes that do not fill words of 32 bits; CapabilityError kind `unwritable-format` for a zero point of 0 in `gptq` (v1)
 */
export function quantizeWeightGPTQ(
  weight: Float32Array,
  shape: MatrixShape,
  inputs: InputStatistics,
  options: QuantizeGPTQOptions = {},
): CalibratedWeight {
  return stored(shape, options, solveGptq(weight, shape, inputs, gridsOf(options), options));
}

/** The same by a factor of the statistics, which serves all weights with the same inputs. */
export const quantizeByFactor = (
  weight: Float32Array,
  shape: MatrixShape,
  factor: GptqFactor,
  options: QuantizeGPTQOptions,
): CalibratedWeight => stored(shape, options, solveByFactor(weight, shape, factor, gridsOf(options), options));

const gridsOf = ({ bits = 4, groupSize = 128, sym = true }: QuantizeGPTQOptions): GptqGrids => ({ bits, groupSize, sym });

function stored(shape: MatrixShape, options: QuantizeGPTQOptions, { integers, loss }: GptqSolution): CalibratedWeight {
  const format = gptqFormat(options);
  return { weight: { format, shape, dtype: "f16", parts: format.pack!(integers) }, loss };
}
