import { CASES, conformance, firstOfEach } from "@weft/tensor-core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { createWebGpuBackend } from "./index.js";
import { KERNELS } from "./kernels/index.js";
import { noteClaims } from "./testing/claimed.js";

/** Per primitive and composite; the same shaders meet all cases in Node, and compiling them is what takes the time. */
const CASES_EACH = 1;

describe("the GPU backend conforms in a page", () => {
  const claimed = new Set<string>();
  const { checks, close } = conformance(
    async () => noteClaims(await createWebGpuBackend(navigator.gpu), claimed),
    firstOfEach(CASES, CASES_EACH),
  );
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
  it("with every kernel of a composite called by some case", () => {
    expect([...claimed].sort()).toEqual(Object.keys(KERNELS.composites).sort());
  });
});
