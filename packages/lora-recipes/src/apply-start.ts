import { type LoraConfigFields, magnitudeOf, plainDelta } from "@weft/adapters-lora";
import { type Attached, type Params, type Tensor } from "@weft/tensor-core";
import { weightName } from "@weft/registry";
import type { PeftModel } from "@weft/registry";
import type { StartLayer, StartTarget } from "./start.js";

/** What a start makes of one layer. */
export interface Start {
  readonly factors: Params;
  /** The weight that takes the place of the base's, where the start changes it. */
  readonly weight?: Tensor;
  /** Values of the layer's config that change. */
  readonly config?: Partial<LoraConfigFields>;
}

/** DoRA's magnitude is that of the layer as the start leaves it. */
function attachedWith({ attached, layer, base, config }: StartLayer, start: Start): Attached {
  const own = { ...config, ...start.config };
  const context = { layer, config: own, scale: 1 };
  const magnitude = attached.params["magnitude"] && {
    magnitude: magnitudeOf(start.weight ?? base.weight, plainDelta(start.factors, context), layer),
  };
  return { ...attached, params: { ...attached.params, ...start.factors, ...magnitude }, context: context as never };
}

/**
 * Puts a start into an adapter.
 * @param starts by path; layers that are not there leave the adapter
 * @param values of the config that change
 * @param converts saving makes an ordinary LoRA for the original base of it, since a file does not tell how the base changed
 */
export function applyStart(
  peft: PeftModel<never, unknown>,
  { name, state, layers }: StartTarget,
  starts: ReadonlyMap<string, Start>,
  values: { readonly [field: string]: unknown },
  converts = false,
): void {
  const next = new Map(state.layers);
  const expected = new Map(state.expected);
  const initial = new Map<string, Params>();
  for (const found of layers) {
    const start = starts.get(found.path);
    if (!start) {
      next.delete(found.path);
      continue;
    }
    next.set(found.path, [attachedWith(found, start), ...state.layers.get(found.path)!.slice(1)]);
    if (!start.weight) continue;
    expected.set(weightName(found), start.weight);
    if (converts) initial.set(found.path, start.factors);
  }
  const config = { ...state.config, values: { ...state.config.values, ...values } };
  peft.setState({ ...state, config, layers: next, expected, ...(converts && { initial }) }, name);
}
