import type { CompositeCall } from "@weft/tensor-core";
import { vi } from "vitest";
import type { WebGpuBackend } from "../backend.js";

/** Notes the composites that a backend claims from now on. */
export function noteClaims(backend: WebGpuBackend, claimed: Set<string>): WebGpuBackend {
  const { claims } = backend;
  vi.spyOn(backend, "claims").mockImplementation((call: CompositeCall) => {
    const yes = claims(call);
    if (yes) claimed.add(call.name);
    return yes;
  });
  return backend;
}
