import type { ModelKind } from "./model-kind.js";
import type { BaseTensors } from "../report/base-index.js";
import type { ModelNames } from "./model-names.js";
import { ownEntry } from "../own-entry.js";

/**
 * A checkpoint's names as transformers has them in the model; undefined if it renames none, or does not know the model. The table of all conversions
 * takes as much room as half of the program: it is loaded here.
 */
export async function namesOf(base: BaseTensors, model: ModelKind): Promise<ModelNames | undefined> {
  const { architectures, model_type: type } = model;
  const { CONVERSIONS, OF_CLASS, OF_TYPE } = await import("./conversions.js");
  const ofClass = (Array.isArray(architectures) ? (architectures as unknown[]) : []).map((name) => ownEntry(OF_CLASS, name));
  const index = ofClass.find((found) => found !== undefined) ?? ownEntry(OF_TYPE, type);
  if (index === undefined) return undefined;
  return (await import("./model-names.js")).modelNames(base, CONVERSIONS[index]!, model);
}
