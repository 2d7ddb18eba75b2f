import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { WasmBackend } from "./backend.js";
import { scatteredBackend } from "./testing/scattered.js";

describe.each([
  { name: "plain SIMD", open: () => new WasmBackend({ threads: 1, relaxed: false }) },
  { name: "two threads, fused multiply-add where there is one", open: () => new WasmBackend({ threads: 2, relaxed: true }) },
  { name: "tensors in three memories", open: () => scatteredBackend({ threads: 1 }) },
])("the CPU backend conforms: $name", ({ open }) => {
  const { checks, close } = conformance(open);
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
