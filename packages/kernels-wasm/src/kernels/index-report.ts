import { ShapeError } from "@weft/tensor-core";
import type { KernelArgs } from "../kernel-args.js";

/** @throws ShapeError if the kernel that ran met an index outside an axis of `n` elements. @see index-report.wasm.ts */
export function checkIndices(op: string, args: KernelArgs<"gatherRows"> | KernelArgs<"scatterAdd">, n: number): void {
  if (args.get("failed") === 0) return;
  args.set("failed", 0);
  throw new ShapeError(`${op}: index ${args.get("badIndex")} is outside an axis of ${n} elements`);
}
