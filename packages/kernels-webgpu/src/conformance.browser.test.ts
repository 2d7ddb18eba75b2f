import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { createWebGpuBackend } from "./index.js";

describe("the GPU backend conforms in a page", () => {
  const { checks, close } = conformance(() => createWebGpuBackend(navigator.gpu));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
