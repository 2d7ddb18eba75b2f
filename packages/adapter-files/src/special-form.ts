import { type AdapterMethod, CapabilityError, type SpecialForm } from "@weft/tensor-core";
import type { OpenedAdapter } from "./opened-adapter.js";

/** What in an adapter's config makes it more, or other, than its parameters; undefined for an ordinary one. */
export const specialForm = ({ methods, method, config }: OpenedAdapter): SpecialForm | undefined =>
  methods.get(method)?.method?.special?.(config.values as never);

/** @throws CapabilityError for adapters that act in a way that a model of layers with hooks does not offer */
export function refuseUnrunnable(method: AdapterMethod<never>, values: object): void {
  const special = method.special?.(values as never);
  if (special?.insteadOfRunning !== undefined)
    throw new CapabilityError(`this adapter cannot be run: ${special.why}`, {
      kind: "unsupported-method",
      hint: special.insteadOfRunning,
    });
}
