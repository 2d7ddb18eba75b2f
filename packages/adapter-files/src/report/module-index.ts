import type { LayerOrigin } from "@weft/tensor-core";
import type { MatchedModule } from "./match-report.js";

/**
 * The place of each of an adapter's modules among them, in the order of the model's modules.
 * @param order module paths in that order; where it is not known, or does not have them all, no module has a number
 */
export function moduleIndex(
  matched: readonly Pick<MatchedModule, "path">[],
  order: Iterable<string> | undefined,
): (path: string) => Pick<LayerOrigin, "index" | "count"> {
  const paths = new Set(matched.map(({ path }) => path));
  const ordered = [...(order ?? [])].filter((path) => paths.has(path));
  const numbers = ordered.length === paths.size ? new Map(ordered.map((path, index) => [path, index])) : undefined;
  return (path) => ({ index: numbers?.get(path), count: paths.size });
}
