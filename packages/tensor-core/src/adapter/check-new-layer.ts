import { ShapeError } from "../errors.js";
import { sizeOf } from "../shape.js";
import type { LayerSpec } from "./layer.js";
import type { AdapterMethod } from "./method.js";

export interface CheckOptions {
  /** Told what PEFT takes, but what is hardly meant: an alpha of 0, a rank above what the layer can use. `console.warn` if not given. */
  readonly onWarning?: (message: string) => void;
}

interface Values {
  readonly loraAlpha?: number | null;
  readonly alpha?: number | null;
}

/**
 * Checks a new adapter of a layer for what cannot be meant. A file is not checked so: it says what was trained.
 * @param name how messages call the layer
 * @throws ShapeError for a layer without elements; what the method's `checkNew` throws
 */
export function assertNewLayer<C>(
  method: AdapterMethod<C>,
  config: C,
  layer: LayerSpec,
  name: string,
  // oxlint-disable-next-line no-console -- as Python warns
  { onWarning = (message) => console.warn(message) }: CheckOptions = {},
): void {
  const empty = layer.kind !== "attention" && layer.kind !== "block" && sizeOf(layer.shape) === 0;
  if (empty) throw new ShapeError(`${name}: the weight is [${layer.shape}]: there is nothing to adapt`, { tensor: name });
  const { loraAlpha, alpha = loraAlpha } = config as Values;
  if (typeof alpha === "number" && alpha <= 0)
    onWarning(`${name}: alpha is ${alpha}: the adapter ${alpha === 0 ? "does nothing" : "acts with the opposite sign"}`);
  for (const warning of method.checkNew?.(config, layer) ?? []) onWarning(`${name}: ${warning}`);
}
