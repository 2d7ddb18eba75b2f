import type { Tensor } from "@weft/tensor-core";

/** What an optimiser keeps of one parameter, under the names that its Python original gives it. */
export type OptimizerState = { readonly [name: string]: Tensor };

/** Constants of an optimiser. What changes while it trains (rate and step) is data, and not among them. */
export type Hyper = { readonly [name: string]: number | boolean | string | null };

/** What is another one in every step, as tensors, so that no step makes a new plan. */
export interface Now {
  /** Learning rate, f32 []. */
  readonly lr: Tensor;
  /** Number of the step from 1 on, f32 []. */
  readonly step: Tensor;
}

/** A parameter after a step, and what the optimiser keeps of it. */
export interface Stepped {
  readonly param: Tensor;
  readonly state: OptimizerState;
}

/** An optimiser: pure functions of lazy tensors, one parameter at a time. */
export interface Optimizer<H extends Hyper = Hyper> {
  readonly name: string;
  readonly defaults: H;
  /** Before the first step. @param param of any float dtype and shape; states are f32 */
  state(param: Tensor, hyper: H): OptimizerState;
  /** One step. @param grad like `param` */
  step(param: Tensor, grad: Tensor, state: OptimizerState, hyper: H, now: Now): Stepped;
}
