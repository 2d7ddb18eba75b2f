import { expect, it } from "vitest";
import { enableRelaxedSimd, hasRelaxedSimd } from "./index.js";

it("turns relaxed SIMD on where it is behind a flag, and is no harm where it is not", () => {
  if (process.versions.node.startsWith("20.")) expect(hasRelaxedSimd()).toBe(false);
  enableRelaxedSimd();
  expect(hasRelaxedSimd()).toBe(true);
  enableRelaxedSimd();
  expect(hasRelaxedSimd()).toBe(true);
});
