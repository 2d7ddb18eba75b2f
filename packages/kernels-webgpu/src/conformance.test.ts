import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, expect, it, vi } from "vitest";
import { KERNELS } from "./kernels/index.js";
import { openTestDevice } from "./testing/gpu.js";

describe("the GPU backend conforms", () => {
  const claimed = new Set<string>();
  const { checks, close } = conformance(async () => {
    const { backend } = await openTestDevice();
    const { claims } = backend;
    vi.spyOn(backend, "claims").mockImplementation((call) => {
      const yes = claims(call);
      if (yes) claimed.add(call.name);
      return yes;
    });
    return backend;
  });
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
  it("with every kernel of a composite called by some case", () => {
    expect([...claimed].sort()).toEqual(Object.keys(KERNELS.composites).sort());
  });
});
