import { ConfigError, ShapeError } from "../errors.js";
import { camel } from "./config.js";
import { sizeOf } from "../shape.js";
import type { LayerSpec } from "./layer.js";
import type { AdapterMethod } from "./method.js";

/** Who hears of settings that are hardly meant. */
export interface CheckOptions {
  /** Told what PEFT takes, but what is hardly meant: an alpha of 0, a rank above what the layer can use. `console.warn` if not given. */
  readonly onWarning?: (message: string) => void;
}

/** Fields by which a config asks for something of a model, where that is more than to choose its layers. */
const OF_A_MODEL =
  /^(bias|modules_to_save|trainable_token_indices|target_parameters|layer_replication|feedforward_modules|(?!layers_).*_pattern)$/;

/**
 * Checks that a config asks for nothing that layers given one by one do not have.
 * @throws ConfigError kind `needs-model` naming the field
 */
export function assertOfLayers<C>({ name, fields }: AdapterMethod<C>, config: C): void {
  const values = config as { readonly [field: string]: unknown };
  const isOff = (value: unknown, fallback: unknown): boolean =>
    value === undefined || value === null || value === fallback || (typeof value === "object" && Object.keys(value).length === 0);
  const found = Object.keys(fields).find((field) => OF_A_MODEL.test(field) && !isOff(values[camel(field)], fields[field]!.fallback));
  if (found !== undefined)
    throw new ConfigError(`${name}: ${found} is about the modules of a model, which single layers are not`, {
      kind: "needs-model",
      hint: "use PeftModel, or an adapter of its own for layers that differ",
    });
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
  const values = config as { readonly [field: string]: unknown };
  for (const [field, { doubt }] of Object.entries(method.fields)) {
    const value = values[camel(field)];
    const said = doubt?.(value);
    if (said !== undefined) onWarning(`${name}: ${field} is ${JSON.stringify(value)}: ${said}`);
  }
  for (const warning of method.checkNew?.(config, layer) ?? []) onWarning(`${name}: ${warning}`);
}
