import type { Arithmetic } from "../../arithmetic.js";
import type { Access, Loop } from "../loop.js";
import { WasmLanes } from "../wasm-lanes.js";
import { acrossOf } from "./across.js";
import { longestRow, MOST_LINES, ROWS_ACROSS, ROWS_OF_ITEM } from "./dot-arguments.js";
import { type Across, emitAcross } from "./emit-across.js";
import { areProductsOfBytes, emitDot } from "./emit-dot.js";
import { MatrixCode } from "./matrix-code.js";

/** Code for y = x·Wᵀ. */
export interface DotPlan {
  readonly loop: Loop;
  /** Equal keys give equal code. */
  readonly key: string;
  readonly rowsOfItem: number;
  emit(): Uint8Array<ArrayBuffer>;
}

/** What is known of a matrix, by its code and how it lies. */
interface Matrix {
  readonly across: Across | undefined;
  readonly ofBytes: boolean;
}

const matrices = new Map<string, Matrix>();

function matrixOf(loop: Loop, inputs: readonly Access[], arithmetic: Arithmetic): Matrix {
  const sizes = [loop.program.shape, ...inputs.map(({ strides }) => strides)];
  const key = `${arithmetic.fused} ${arithmetic.activations} ${JSON.stringify(sizes)} ${loop.key}`;
  const known = matrices.get(key);
  if (known) return known;
  const code = new MatrixCode(new WasmLanes(3), loop, arithmetic.fused);
  const across = code.ofBytes ? undefined : acrossOf(code, inputs);
  const matrix = { across, ofBytes: arithmetic.activations === "int8" && areProductsOfBytes(code, arithmetic) };
  matrices.set(key, matrix);
  return matrix;
}

/** Code for few lines that multiply a matrix as it is decoded, in registers; undefined for so many that storing it in between is worth more. */
export function planDot(loop: Loop, inputs: readonly Access[], lines: number, arithmetic: Arithmetic): DotPlan | undefined {
  const { activations, fused, rowIndependent } = arithmetic;
  if (rowIndependent || lines > MOST_LINES || loop.program.shape[1]! > longestRow(lines)) return undefined;
  const { across, ofBytes } = matrixOf(loop, inputs, arithmetic);
  if (across && lines <= MOST_LINES / 2) {
    const key = `across ${lines} ${across.block} ${across.loop.key}`;
    return { loop: across.loop, key, rowsOfItem: ROWS_ACROSS, emit: () => emitAcross(across, lines, fused) };
  }
  if (lines > (activations === "f32" ? 3 : ofBytes ? MOST_LINES : MOST_LINES / 2)) return undefined;
  return { loop, key: `dot ${lines} ${activations} ${loop.key}`, rowsOfItem: ROWS_OF_ITEM, emit: () => emitDot(loop, lines, arithmetic) };
}
