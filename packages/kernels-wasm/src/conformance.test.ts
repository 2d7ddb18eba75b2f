import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { WasmBackend } from "./backend.js";

describe.each([
  { name: "plain SIMD", options: { threads: 1, relaxed: false } },
  { name: "fused multiply-add where there is one", options: { threads: 1, relaxed: true } },
  { name: "two threads", options: { threads: 2 } },
])("the CPU backend conforms: $name", ({ options }) => {
  const { checks, close } = conformance(() => new WasmBackend(options));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
