import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { createOnnxBackend } from "./backend.js";
import { hasRuntime, REASON } from "./testing/runtime.js";

describe.skipIf(!hasRuntime())(`the backend on onnxruntime conforms${REASON}`, () => {
  const { checks, close } = conformance(() => createOnnxBackend({ threads: 2 }));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
