import { createConverter } from "../transformers/conversion.js";
import { CONVERSIONS } from "../transformers/conversions.js";
import { modelNames } from "../transformers/model-names.js";
import type { BaseTensors } from "./base-index.js";
import { Names } from "./names.js";

/** Names of a base that are looked at to see whether a list of conversions has anything to do with it. */
const SAMPLE = 64;

/**
 * The names by the conversions that all paths are found with; undefined if there are none, or if they put a path into different tensors. Where there are
 * none, those by which the base has all paths, though some cannot be found in its tensors, so that it is said why.
 */
export function guessNames(base: BaseTensors, paths: readonly string[]): Names | undefined {
  const sample = [...paths.map((path) => `${path}.weight`), ...base.names()].slice(0, paths.length + SAMPLE);
  const relevant = CONVERSIONS.filter((list) => {
    const convert = createConverter(list);
    return sample.some((name) => convert(name).names[0] !== name);
  });
  const readings = relevant.map((list) => new Names(base, paths, modelNames(base, list, undefined)));
  const [first, ...rest] = readings.filter((names) => paths.every((path) => names.has(path)));
  if (!first) return readings.find((names) => paths.every((path) => names.has(path) || names.refusal(path) !== undefined));
  const where = (names: Names): string => JSON.stringify(paths.map((path) => names.tensors(path)));
  return rest.some((names) => where(names) !== where(first)) ? undefined : first;
}
