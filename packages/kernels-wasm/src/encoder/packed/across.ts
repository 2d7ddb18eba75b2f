import type { Program } from "@weft/tensor-core";
import { closure, tablesOf } from "@weft/tensor-core/program";
import { type Access, contiguousOutputs, planLoop } from "../loop.js";
import { WasmLanes } from "../wasm-lanes.js";
import { ROWS_ACROSS } from "./dot-arguments.js";
import type { Across } from "./emit-across.js";
import { linearTerms } from "./linear-terms.js";
import { MatrixCode } from "./matrix-code.js";

/** Columns whose products are summed before they meet their factors. */
const BLOCKS = [64, 32, 16];

/**
 * How a matrix is multiplied column by column; undefined where its codes do not lie side by side in columns.
 * @param code of its rows
 */
export function acrossOf(code: MatrixCode, inputs: readonly Access[]): Across | undefined {
  const { program, analysis } = code.loop;
  const [rows, columns] = program.shape as [number, number];
  if (rows % ROWS_ACROSS !== 0) return undefined;
  for (const block of BLOCKS.filter((b) => columns % b === 0)) {
    const facts = code.facts(block);
    const same = (v: number): boolean => analysis.scalar[v]! || facts.same[v]!;
    const [term, ...more] = linearTerms(program, code.value, same);
    if (term?.core === undefined || more.length > 0) continue;
    const turned = turn(program);
    const tables = tablesOf(program);
    const ofTurned = inputs.map((o, k) => (tables.has(k) ? o : { ...o, strides: [...o.strides].reverse() }));
    const loop = planLoop(turned, ofTurned, contiguousOutputs(turned, ["f32"]), true);
    const { patterns, same: sameForAll } = new MatrixCode(new WasmLanes(3), loop, false).facts(ROWS_ACROSS);
    const sideBySide = closure(program, [term.core], same).every((v) => {
      const i = program.instructions[v]!;
      return i.op === "lookup" ? sameForAll[v]! || patterns[i.a] !== undefined : i.op !== "load" || same(v);
    });
    return sideBySide && loop.rowSizes.length === 1 ? { loop, block, same, term: { ...term, core: term.core } } : undefined;
  }
  return undefined;
}

/** A program over a matrix as one over the matrix turned round. */
function turn(program: Program): Program {
  const instructions = program.instructions.map((i) => (i.op === "index" ? { ...i, axis: 1 - i.axis } : i));
  return { ...program, instructions, shape: [...program.shape].reverse() };
}
