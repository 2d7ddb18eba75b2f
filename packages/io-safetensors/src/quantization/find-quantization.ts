import { toCoreDType } from "../dtypes.js";
import type { WeightSource } from "../weight-source.js";
import { QUANTIZATION_FORMATS, type QuantizationFormat } from "./formats.js";

/** What a checkpoint has quantised. */
export interface Quantization {
  /** Path of a module, or name of a parameter → name of the format of its weight. */
  readonly weights: ReadonlyMap<string, string>;
  /** Format → number of weights in it. */
  readonly formats: ReadonlyMap<string, number>;
  /** `quant_method` of the config, whatever the tensors are. */
  readonly declared: string | undefined;
}

type Source = Pick<WeightSource, "names" | "info">;

/** Endings of parameters' names (MXFP4), which have a path of their own. */
const ENDINGS = QUANTIZATION_FORMATS.flatMap(({ parts }) => parts.filter((part) => part.startsWith("*")));
/** Names of parts as they are, which no ending is cut off. */
const EXACT: ReadonlySet<string> = new Set(QUANTIZATION_FORMATS.flatMap(({ parts }) => parts.filter((part) => !/[*.]/.test(part))));
const DOTTED = QUANTIZATION_FORMATS.flatMap(({ parts }) => parts.filter((part) => part.includes(".")));
const FLOATS = new Set(["f32", "f16", "bf16", "f8e4m3", "f8e5m2"]);

/**
 * Says which weights of a checkpoint are quantised, and how, by the tensors that lie beside them; a weight of integers beside which nothing known
 * lies is called after the config. FP8 without scales is no format: it holds the values themselves.
 * @param config the checkpoint's config.json
 */
export function findQuantization(source: Source, config?: { readonly [field: string]: unknown }): Quantization {
  const declared = (config?.quantization_config as { quant_method?: unknown } | undefined)?.quant_method;
  const method = typeof declared === "string" ? declared : undefined;
  const weights = new Map<string, string>();
  for (const [path, parts] of modulesOf(source)) {
    const format = QUANTIZATION_FORMATS.find((candidate) => fits(candidate, path, parts, source, method));
    const name = format?.name ?? unknownIntegers(path, parts, source, method);
    if (name !== undefined) weights.set(path, name);
  }
  const formats = new Map<string, number>();
  for (const name of weights.values()) formats.set(name, (formats.get(name) ?? 0) + 1);
  return { weights, formats, declared: method };
}

/** Parts by path. `a.weight.absmax` is a part of `a`; `a.b_blocks` is one of `a.b`. */
function modulesOf(source: Source): Map<string, Set<string>> {
  const modules = new Map<string, Set<string>>();
  for (const name of source.names()) {
    const last = name.slice(name.lastIndexOf(".") + 1);
    const ending = EXACT.has(last) ? undefined : ENDINGS.find((part) => name.endsWith(part.slice(1)));
    const dotted = DOTTED.find((part) => name.endsWith(`.${part}`));
    const cut = ending ? name.length - ending.length + 1 : dotted ? name.length - dotted.length - 1 : name.lastIndexOf(".");
    const path = name.slice(0, Math.max(0, cut));
    const parts = modules.get(path) ?? new Set<string>();
    modules.set(path, parts.add(ending ?? dotted ?? last));
  }
  return modules;
}

function fits(
  { parts, dtypes, packed, methods }: QuantizationFormat,
  path: string,
  present: ReadonlySet<string>,
  source: Source,
  declared: string | undefined,
): boolean {
  if (!parts.every((part) => present.has(part))) return false;
  if (dtypes && !(present.has("weight") && dtypes.includes(source.info(`${path}.weight`).dtype))) return false;
  if (!packed) return true;
  if (declared !== undefined) return methods.includes(declared);
  const [words, scales] = [source.info(`${path}.qweight`).shape, source.info(`${path}.scales`).shape];
  return (words[1] === scales[1]) === (packed === "inputs");
}

/** A matrix of integers is no weight that anything computes with as it is. */
function unknownIntegers(path: string, parts: ReadonlySet<string>, source: Source, declared: string | undefined): string | undefined {
  if (!parts.has("weight")) return undefined;
  const { dtype, shape } = source.info(`${path}.weight`);
  const core = toCoreDType(dtype);
  if (shape.length < 2 || dtype === "F64" || (core !== undefined && FLOATS.has(core)) || dtype.startsWith("F8_E")) return undefined;
  return declared ?? `${dtype} codes`;
}
