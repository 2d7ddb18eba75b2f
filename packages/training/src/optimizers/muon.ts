import { add, cast, ConfigError, div, matmul, maximum, mul, norm, sub, swapLast, type Tensor, zeros } from "@weft/tensor-core";
import type { Optimizer } from "./optimizer.js";

/** Constants of Muon. */
export type MuonHyper = {
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  /** Iterations of Newton and Schulz. */
  readonly nsSteps: number;
  /** The least norm that an update is divided by. */
  readonly eps: number;
  /** How the rate follows the shape: `original` √max(1, rows/columns), `match_rms_adamw` 0.2·√max(rows, columns). */
  readonly adjustLrFn: string;
};

/** Of X ← aX + (bA + cA²)X with A = XXᵀ; the slope at 0 is as steep as it can be. */
const [A, B, C] = [3.4445, -4.775, 2.0315];

const ADJUST: { readonly [name: string]: (rows: number, columns: number) => number } = {
  original: (rows, columns) => Math.sqrt(Math.max(1, rows / columns)),
  match_rms_adamw: (rows, columns) => 0.2 * Math.sqrt(Math.max(rows, columns)),
};

/** U·Vᵀ of a matrix USVᵀ, about: singular values come out between 0.5 and 1.5. In bf16, as torch. */
function orthogonal(update: Tensor, { nsSteps, eps }: MuonHyper): Tensor {
  const [rows, columns] = update.shape as [number, number];
  const turn = (t: Tensor): Tensor => (rows > columns ? swapLast(t) : t);
  const rounded = cast(update, "bf16");
  let x = turn(div(rounded, maximum(norm(rounded), eps)));
  for (let i = 0; i < nsSteps; i++) {
    const gram = matmul(x, swapLast(x));
    // Sums are rounded once: torch's addmm adds in f32.
    const both = cast(add(mul(cast(gram, "f32"), B), mul(matmul(cast(gram, "f32"), cast(gram, "f32")), C)), "bf16");
    x = cast(add(mul(cast(x, "f32"), A), matmul(cast(both, "f32"), cast(x, "f32"))), "bf16");
  }
  return cast(turn(x), "f32");
}

/**
 * For matrices: b ← b + (g - b)·(1-μ); u = g + (b - g)·μ (`nesterov`) or b; θ ← θ·(1 - ηλ) - η·adjust·orthogonal(u), where five iterations of Newton and Schulz in
 * bf16 make u nearly orthogonal.
 * @throws ConfigError for a parameter that is no matrix, or an unknown `adjustLrFn`
 * @see Jordan et al. 2024; torch `optim/_muon.py`
 */
export const MUON: Optimizer<MuonHyper> = {
  name: "Muon",
  defaults: { momentum: 0.95, nesterov: true, weightDecay: 0.1, nsSteps: 5, eps: 1e-7, adjustLrFn: "original" },
  state({ shape }) {
    if (shape.length !== 2)
      throw new ConfigError(`Muon steps matrices, a parameter is [${shape}]`, {
        hint: "take another optimiser for it, adamw_torch for instance",
      });
    return { momentum_buffer: zeros(shape) };
  },
  step(param, grad, state, hyper, { lr }) {
    const adjust = ADJUST[hyper.adjustLrFn];
    if (!adjust) throw new ConfigError(`Muon: adjustLrFn is "${hyper.adjustLrFn}", expected one of ${Object.keys(ADJUST).join(", ")}`);
    const { momentum, nesterov, weightDecay } = hyper;
    const buffer = add(state["momentum_buffer"]!, mul(sub(grad, state["momentum_buffer"]!), 1 - momentum));
    const direction = orthogonal(nesterov ? add(grad, mul(sub(buffer, grad), momentum)) : buffer, hyper);
    const rate = mul(lr, adjust(param.shape[0]!, param.shape[1]!));
    return { param: sub(mul(param, sub(1, mul(lr, weightDecay))), mul(direction, rate)), state: { momentum_buffer: buffer } };
  },
};
