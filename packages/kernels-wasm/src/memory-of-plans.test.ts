import { memoryChecks } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { WasmBackend } from "./backend.js";

describe.each([1, 2])("memory that plans take, on %i threads", (threads) => {
  const { checks, close } = memoryChecks(() => new WasmBackend({ threads }));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
