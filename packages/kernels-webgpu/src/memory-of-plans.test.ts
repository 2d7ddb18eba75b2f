import { memoryChecks } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { openTestDevice } from "./testing/gpu.js";

describe("memory that plans take", () => {
  const { checks, close } = memoryChecks(async () => (await openTestDevice()).backend);
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
