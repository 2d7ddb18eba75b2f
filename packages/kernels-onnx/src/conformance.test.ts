import { conformance } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { createOnnxBackend } from "./backend.js";
import { hasRuntime, REASON } from "./testing/runtime.js";

/** Of onnxruntime, the preferred first: `WEFT_ONNX_PROVIDERS=cuda,cpu`. */
const providers = process.env["WEFT_ONNX_PROVIDERS"]?.split(",") ?? ["cpu"];

describe.skipIf(!hasRuntime())(`the backend on onnxruntime conforms on ${providers.join(", ")}${REASON}`, () => {
  const { checks, close } = conformance(() => createOnnxBackend({ threads: 2, providers }));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
