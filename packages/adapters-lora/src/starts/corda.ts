import type { LayerSpec, Params, Tensor } from "@weft/tensor-core";
import { matrix, type Matrix, product, solveSpd, torchSvd, transposed, truncatedSvd } from "@weft/tensor-core/linalg";
import { hostMatrix, pickColumns, pickRows, range, toTensor } from "../init/host-matrix.js";
import { type LoraConfigFields, loraScaling } from "../lora/config.js";

/** What is added to the covariance's diagonal, of its mean. */
const DAMPING = 0.01;

/**
 * CorDA (Yang et al. 2024): W·C = U·S·Vᵀ with the covariance C of the layer's inputs; A = √(S/s)·Vᵀ·C⁻¹, B = U·√(S/s) of the r largest components
 * (`ipm`) or the r smallest (`kpm`), so that s·B·A is that part of W.
 * @param covariance [in, in]
 * @see peft `tuners/lora/corda.py`
 */
export async function cordaFactors(config: LoraConfigFields, layer: LayerSpec, weight: Tensor, covariance: Matrix): Promise<Params> {
  const w = await hostMatrix(weight, layer);
  const n = w.cols;
  let trace = 0;
  for (let i = 0; i < n; i++) trace += covariance.data[i * n + i]!;
  const damped = matrix(n, n, covariance.data.slice());
  for (let i = 0; i < n; i++) damped.data[i * n + i]! += (trace / n) * DAMPING;
  const least = Math.min(w.rows, n);
  const smallest = config.cordaConfig?.cordaMethod === "kpm";
  const seen = product(w, damped);
  const { u, s, vt } = smallest ? torchSvd(seen, least) : truncatedSvd(seen, config.r);
  const chosen = smallest ? range(config.r, least - config.r) : range(config.r);
  const root = chosen.map((i) => Math.sqrt(s[i]! / loraScaling(config)));
  // Vᵀ·C⁻¹, C being symmetric.
  const back = transposed(solveSpd(damped, transposed(pickRows(vt, chosen))));
  return { A: toTensor(pickRows(back, range(config.r), root)), B: toTensor(pickColumns(u, chosen, root)) };
}
