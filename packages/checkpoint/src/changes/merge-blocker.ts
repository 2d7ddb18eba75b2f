import { type OpenedAdapter, specialForm } from "@weft/adapter-files";
import type { WeftErrorKind } from "@weft/tensor-core";

/** Why an adapter cannot be merged into any base, as far as its own files tell; merge refuses with it, lint and inspect say it. */
export interface MergeBlocker {
  readonly kind: WeftErrorKind<"capability">;
  readonly why: string;
  readonly hint: string;
}

/** Undefined for an adapter that merges where it fits. */
export function mergeBlocker(adapter: OpenedAdapter): MergeBlocker | undefined {
  const { methods, method, modules, shared } = adapter;
  const unmerged = { kind: "not-mergeable", hint: "keep it unmerged" } as const;
  const unmergeable = methods.get(method)?.method?.unmergeable;
  if (unmergeable) return { ...unmerged, why: `${method} cannot be merged: ${unmergeable}` };
  // Whole tensors beside them would be replaced, and the change itself be left out.
  if (modules.size === 0 && shared.size > 0) {
    if (methods.get(method)?.prompt)
      return { ...unmerged, why: `${method} adapters act on the input, not on weights: there is nothing to merge` };
    return {
      kind: "needs-model",
      why: `the file holds only what all layers of ${method} share; what each gets follows from the order of the model's modules, which a checkpoint does not tell`,
      hint: "load the model in the library, and merge with PeftModel.mergeAndUnload()",
    };
  }
  const special = specialForm(adapter);
  if (special?.kind === "acts-otherwise") return { ...unmerged, why: `this adapter cannot be merged: ${special.why}` };
  return special?.kind === "base-changed-by-init" && !special.determined
    ? { kind: special.kind, why: special.why, hint: special.remedy }
    : undefined;
}
