import type { LayerHook } from "@weft/registry";
import type { Tensor } from "@weft/tensor-core";
import type { CausalLossOptions } from "../losses/causal.js";
import { headPath } from "../losses/headless.js";
import type { ObjectivePass } from "../objectives/objective.js";
import type { Trainee } from "./trainee.js";

/** What a pass is told besides the loss. */
export interface PassOptions extends CausalLossOptions {
  /** Dropout acts, drawn from this key; null for an evaluation. */
  readonly dropoutKey: Tensor | null;
  /** A hook around all layers of both passes. */
  readonly around?: LayerHook | undefined;
}

/** A hook that asks `outer` first, and `inner` where it has no answer. */
const first = (outer: LayerHook | undefined, inner: LayerHook | undefined): LayerHook | undefined =>
  outer && inner ? (...call) => outer(...call) ?? inner(...call) : (outer ?? inner);

/** How an objective runs a model. */
export function passOf(trainee: Trainee, { dropoutKey, around, ...loss }: PassOptions): ObjectivePass {
  const options = (hook: LayerHook | undefined): { hook?: LayerHook } => {
    const all = first(around, hook);
    return all ? { hook: all } : {};
  };
  return {
    ...loss,
    run: (inputs, hook) => trainee.forward(inputs as never, { dropoutKey, ...options(hook) }),
    reference: (inputs, hook) => trainee.baseModel.forward(inputs as never, options(hook).hook),
    head: () => headPath(trainee.baseModel),
  };
}
