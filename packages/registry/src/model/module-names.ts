import type { ModuleName } from "@weft/adapter-files";
import type { HookedModel } from "./hooked-model.js";

/** The modules of a model as targeting looks at them. */
export function moduleNames(model: HookedModel<never, unknown>): ModuleName[] {
  return [...model.namedModules()].map(([path, { kind, outputEmbedding }]) => ({
    path,
    linear: kind === "linear",
    outputEmbedding: outputEmbedding ?? false,
  }));
}
