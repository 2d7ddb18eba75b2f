import type { Arithmetic } from "../../arithmetic.js";
import type { Loop } from "../loop.js";
import { WasmLanes } from "../wasm-lanes.js";
import { longestRow, MOST_LINES } from "./dot-arguments.js";
import { areProductsOfBytes } from "./emit-dot.js";
import { MatrixCode } from "./matrix-code.js";

const ofBytes = new Map<string, boolean>();

/** Up to so many lines multiplying a matrix as it is decoded, in registers, is worth more than storing it in between. */
export function mostLines(loop: Loop, columns: number, arithmetic: Arithmetic): number {
  if (arithmetic.rowIndependent || columns > longestRow(1)) return 0;
  const most = arithmetic.activations === "f32" ? 3 : isOfBytes(loop, arithmetic) ? MOST_LINES : 4;
  return columns > longestRow(most) ? MOST_LINES / 2 : most;
}

function isOfBytes(loop: Loop, arithmetic: Arithmetic): boolean {
  const key = `${arithmetic.fused} ${loop.key}`;
  const is = ofBytes.get(key) ?? areProductsOfBytes(new MatrixCode(new WasmLanes(3), loop, arithmetic.fused), arithmetic);
  ofBytes.set(key, is);
  return is;
}
