import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { createWasmBackend } from "./index.js";

describe("the CPU backend conforms in a page", () => {
  const { checks, close } = conformance(() => createWasmBackend({ threads: 1 }));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
