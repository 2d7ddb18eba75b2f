import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { KERNELS } from "./kernels/index.js";
import { noteClaims } from "./testing/claimed.js";
import { openTestDevice } from "./testing/gpu.js";

describe("the GPU backend conforms", () => {
  const claimed = new Set<string>();
  const { checks, close } = conformance(async () => noteClaims((await openTestDevice()).backend, claimed));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
  it("with every kernel of a composite called by some case", () => {
    expect([...claimed].sort()).toEqual(Object.keys(KERNELS.composites).sort());
  });
});
