import { type Attached, concat, mul, type Params } from "@weft/tensor-core";
import type { AdapterState } from "./adapter-state.js";

/** What a LoRA's config says of its ranks. */
interface LoraValues {
  readonly r: number;
  readonly loraAlpha: number;
  readonly useRslora: boolean;
  readonly initLoraWeights: boolean | string;
  readonly rankPattern: { readonly [module: string]: number };
  readonly alphaPattern: { readonly [module: string]: number };
}

/**
 * An adapter whose start took s·B₀·A₀ out of the base, as an ordinary LoRA of twice the rank for the original base: A' = [A; A₀], B' = [B, -B₀] at the same
 * scale. What PEFT's `path_initial_model_for_weight_conversion` writes. Others come back as they are.
 */
export function onOriginalBase(state: AdapterState): AdapterState {
  const { initial, config } = state;
  if (!initial || initial.size === 0) return state;
  const values = config.values as unknown as LoraValues;
  // alpha'/(2r) = alpha/r, and with rsLoRA alpha'/√(2r) = alpha/√r.
  const growth = values.useRslora ? Math.SQRT2 : 2;
  const grown = (pattern: LoraValues["rankPattern"], by: number): object =>
    Object.fromEntries(Object.entries(pattern ?? {}).map(([key, value]) => [key, value * by]));
  const sizes = (of: LoraValues): Partial<LoraValues> => ({
    r: 2 * of.r,
    loraAlpha: growth * of.loraAlpha,
    initLoraWeights: true,
  });
  const layers = new Map(
    [...state.layers].map(([path, [first, ...rest]]) => {
      const before = initial.get(path);
      return [path, before ? [widened(first!, before, sizes), ...rest] : [first!, ...rest]] as const;
    }),
  );
  const next = { ...values, ...sizes(values), rankPattern: grown(values.rankPattern, 2), alphaPattern: grown(values.alphaPattern, growth) };
  const { initial: _, ...plain } = state;
  return { ...plain, layers, expected: new Map(), config: { ...config, values: next as never } };
}

function widened(attached: Attached, before: Params, sizes: (config: LoraValues) => Partial<LoraValues>): Attached {
  const { params, context } = attached;
  const own = context.config as LoraValues;
  const A = concat([params["A"]!, before["A"]!], 0);
  const B = concat([params["B"]!, mul(before["B"]!, -1)], 1);
  return { ...attached, params: { ...params, A, B }, context: { ...context, config: { ...own, ...sizes(own) } as never } };
}
