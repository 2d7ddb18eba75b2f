import { CapabilityError, neg, type Plan, placeholder, planGraph } from "@weft/tensor-core";
import { CUDA_INSTALL } from "./runtime/peer.js";

/** An execution provider of onnxruntime, as `listSupportedBackends` tells of it. */
export interface Provider {
  /** As `executionProviders` of a session takes it. */
  readonly name: string;
  /** False if what it needs is installed beside the package. */
  readonly bundled: boolean;
}

/** What a provider is tried with. */
export function smallPlan(): Plan {
  const x = placeholder({ shape: [4], dtype: "f32" });
  return planGraph([neg(x)], [x], () => false).plan;
}

/** Which onnxruntime it is, in messages. */
export interface Runtime {
  readonly version: string;
  readonly available: readonly Provider[];
}

/** @throws CapabilityError kind `no-provider` for a name that this build of onnxruntime does not have */
export function assertAvailable(wanted: readonly string[], { version, available }: Runtime): void {
  const names = available.map(({ name }) => name);
  const missing = wanted.find((name) => !names.includes(name));
  if (missing === undefined && wanted.length > 0) return;
  const what =
    missing === undefined
      ? "no provider is named"
      : `onnxruntime-node ${version} has no provider "${missing}" on ${process.platform} ${process.arch}`;
  throw new CapabilityError(what, { kind: "no-provider", hint: `providers are ${names.join(", ")}` });
}

/** What onnxruntime says of a provider that does not start, without where in its source it says so. */
const reasonOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  const text = cause instanceof Error ? cause.message : message;
  return text
    .slice(text.lastIndexOf(" was false. ") + 1)
    .replace(/^was false\. /, "")
    .replace(/\s+/g, " ")
    .trim();
};

/** The error for a provider that this build has, and that does not start on this machine. */
export function notStarted(name: string, { version, available }: Runtime, cause: unknown): CapabilityError {
  const bundled = available.find((provider) => provider.name === name)!.bundled;
  const hint = bundled ? `update the driver of its device, or leave "${name}" out of the providers` : CUDA_INSTALL;
  return new CapabilityError(`the provider "${name}" of onnxruntime-node ${version} does not start: ${reasonOf(cause)}`, {
    kind: "no-provider",
    hint,
    cause,
  });
}
