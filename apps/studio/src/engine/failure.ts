import { WeftError } from "@weft/tensor-core";
import type { Failure } from "../protocol/values.js";

/** A failure as it is told: of weft's own errors kind and hint, of others the message. */
export function failureOf(error: unknown): Failure {
  if (error instanceof WeftError)
    return { kind: error.kind, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
  return { kind: "internal", message: error instanceof Error ? error.message : String(error) };
}
