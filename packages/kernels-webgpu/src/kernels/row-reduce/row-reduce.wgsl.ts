import type { Operand, Program } from "@weft/tensor-core";
import { closure, collapse, identity, type Reduce, rowsOf } from "@weft/tensor-core/program";
import { DEFAULT_TUNING } from "../../tuning/tuning.js";
import { reduceStep } from "../../wgsl/instructions.js";
import type { OutputRef } from "../../wgsl/shader.js";
import { Shader } from "../../wgsl/shader.js";
import { encodeValue, lanes, roundTo } from "../../wgsl/storage.js";
import { workgroupReduce } from "../../wgsl/workgroup-reduce.js";
import { analyseRows, letValues, programName, viewsOf } from "../fused/analysis.js";
import { coordinates, strided, sumOf } from "../fused/space.js";
import type { Dispatch, LowerContext } from "../kernel.js";

/** Rows up to this length are reduced by one thread each; longer ones by a workgroup each. */
const SHORT_ROW = 32;

/** Values that a thread adds up before it adds their sum to that of all it has seen, where it sees many: errors grow with the number of either. */
const BLOCK = 32;

/** What `segment` rows are cut into when one workgroup per row would leave the GPU idle. */
export interface Segments {
  readonly count: number;
  readonly length: number;
}

/**
 * A fused program with row reductions as one dispatch. The row is read once per level of reductions and once more for outputs over
 * the whole space; what is one value per row is computed outside these loops.
 * With `segments` each workgroup reduces a part of a row, and every output is one value per part.
 */
export function rowReduce(
  program: Program,
  inputs: readonly Operand[],
  outputs: readonly Operand[],
  context: LowerContext,
  segments?: Segments,
): Dispatch {
  const { rows, length } = rowsOf(program);
  const alone = length <= SHORT_ROW && !segments;
  const shader = new Shader(
    programName(alone ? "rows" : "row", program),
    context,
    alone ? 64 : Math.min((context.limits.tuning ?? DEFAULT_TUNING).rows.threads, context.limits.maxInvocations),
  );
  const { scalar, passes, last } = analyseRows(program, inputs);
  const targets = program.outputs.map((o) => o.value);
  const live = closure(program, targets);
  const lead = program.shape.length - program.reduced;
  const views = viewsOf(program, inputs, live);
  const outer = collapse(
    program.shape.slice(0, lead),
    [...views.values()].map((s) => s.slice(0, lead)),
  );
  const inner = collapse(
    program.shape.slice(lead),
    [...views.values()].map((s) => s.slice(lead)),
  );
  const order = [...views.keys()];
  const n = shader.u32(length);
  const units = rows * (segments?.count ?? 1);

  const lines: string[] = [`let unit = ${alone ? "tid" : "group"};`, `if (unit >= ${shader.u32(units)}) { return; }`];
  lines.push(segments ? `let row = unit / ${shader.u32(segments.count)};` : "let row = unit;");
  if (segments)
    lines.push(
      `let begin = (unit % ${shader.u32(segments.count)}) * ${shader.u32(segments.length)};`,
      `let finish = min(begin + ${shader.u32(segments.length)}, ${n});`,
    );
  const outerAt = coordinates(shader, outer.shape, "row", "r");
  lines.push(outerAt.text);
  for (const value of order) {
    const i = program.instructions[value]!;
    lines.push(
      `let o${value} = ${sumOf(i.op === "load" ? shader.u32(inputs[i.input]!.offset) : "", strided(shader, outerAt.names, outer.strides[order.indexOf(value)]!))};`,
    );
  }

  /** Statements that compute values at position `j` of the row. */
  const inRow = (values: readonly number[]): string => {
    const own = values.filter((v) => !scalar[v]!);
    const at = coordinates(shader, inner.shape, "j", "c");
    return `${at.text}\n${letValues(shader, program, inputs, own, (v) => sumOf(`o${v}`, strided(shader, at.names, inner.strides[order.indexOf(v)]!)))}`;
  };
  const start = alone ? "0u" : segments ? "begin + lid" : "lid";
  const step = alone ? "1u" : `${shader.workgroup}u`;
  const loop = (body: string, end = segments ? "finish" : n): string => `for (var j = ${start}; j < ${end}; j += ${step}) {\n${body}\n}`;

  const reduceAt = (v: number): Reduce => program.instructions[v] as Reduce;
  const perRow = (values: readonly number[]): string =>
    letValues(
      shader,
      program,
      inputs,
      values.filter((v) => program.instructions[v]!.op !== "reduce"),
      (v) => `o${v}`,
    );
  for (const pass of passes) {
    lines.push(perRow(pass.perRow));
    if (pass.reduces.length === 0) continue;
    const sums = pass.reduces.map((v) => ({ ...reduceAt(v), v }));
    for (const { v, how, dtype } of sums) lines.push(`var s${v} = ${shader.constant(identity(how, dtype), dtype)};`);
    const needed = closure(
      program,
      sums.map((r) => r.a),
      (v) => scalar[v]!,
    );
    const combine = (into: string, { v, how, dtype }: (typeof sums)[number], value: string): string =>
      `${into}${v} = ${reduceStep(how, dtype, `${into}${v}`, value)};`;
    const many = (segments?.length ?? length) > 2 * BLOCK * (alone ? 1 : shader.workgroup);
    if (many) {
      const end = segments ? "finish" : n;
      lines.push(
        `for (var q = ${start}; q < ${end}; q += ${step} * ${BLOCK}u) {`,
        ...sums.map(({ v, how, dtype }) => `var b${v} = ${shader.constant(identity(how, dtype), dtype)};`),
        `for (var j = q; j < min(${end}, q + ${step} * ${BLOCK}u); j += ${step}) {`,
        inRow(needed),
        ...sums.map((r) => combine("b", r, `v${r.a}`)),
        "}",
        ...sums.map((r) => combine("s", r, `b${r.v}`)),
        "}",
      );
    } else lines.push(loop([inRow(needed), ...sums.map((r) => combine("s", r, `v${r.a}`))].join("\n")));
    for (const { v, how, dtype } of sums)
      lines.push(`let v${v} = ${roundTo(dtype, alone ? `s${v}` : workgroupReduce(shader, how, dtype)(`s${v}`))};`);
  }
  lines.push(perRow(last));
  lines.push(...stores());
  return shader.dispatch(lines.join("\n"), alone ? Math.ceil(units / shader.workgroup) : units);

  function stores(): string[] {
    const refs = outputs.map((o) => shader.output(o));
    const offsets = outputs.map((o) => shader.u32(o.offset));
    const all = program.outputs.map((o, k) => ({ ...o, k }));
    const text: string[] = [];
    const single = all.filter((o) => o.perRow);
    // Before the loop below, which may overwrite what these values are made of.
    if (single.length > 0) {
      const spread = closure(
        program,
        single.map((o) => o.value),
        (v) => scalar[v]!,
      ).filter((v) => !scalar[v]!);
      const put = single.map(({ value, k }) => refs[k]!.store(`${offsets[k]} + unit`, `v${value}`));
      text.push(alone ? "{" : "if (lid == 0u) {", ...(spread.length > 0 ? ["let j = 0u;", inRow(spread)] : []), ...put, "}");
    }
    const full = all.filter((o) => !o.perRow);
    if (full.length > 0) text.push(fullStores(full, refs, offsets));
    return text;
  }

  function fullStores(full: readonly { value: number; k: number }[], refs: readonly OutputRef[], offsets: readonly string[]): string {
    const needed = inRow(
      closure(
        program,
        full.map((o) => o.value),
        (v) => scalar[v]!,
      ),
    );
    const packed = full.filter(({ k }) => lanes(outputs[k]!.dtype) > 1);
    const each = packed.length > 0 ? lanes(outputs[packed[0]!.k]!.dtype) : 1;
    const whole = packed.every(({ k }) => lanes(outputs[k]!.dtype) === each && length % each === 0 && outputs[k]!.offset % each === 0);
    const at = (k: number): string => `${offsets[k]} + row * ${n} + j`;
    if (each === 1 || !whole) return loop([needed, ...full.map(({ value, k }) => refs[k]!.store(at(k), `v${value}`))].join("\n"));
    // Rows are whole words: each thread fills a word at a time.
    const width = 32 / each;
    const body = full.map(({ value, k }) =>
      lanes(outputs[k]!.dtype) === 1
        ? refs[k]!.store(at(k), `v${value}`)
        : `word${k} |= ${encodeValue(outputs[k]!.dtype, `v${value}`)} << (l * ${width}u);`,
    );
    return [
      `for (var q = ${alone ? "0u" : "lid"}; q < ${n} / ${each}u; q += ${step}) {`,
      ...packed.map(({ k }) => `var word${k} = 0u;`),
      `for (var l = 0u; l < ${each}u; l++) {`,
      `let j = q * ${each}u + l;`,
      needed,
      ...body,
      "}",
      ...packed.map(({ k }) => refs[k]!.storeWord(`(${offsets[k]} + row * ${n}) / ${each}u + q`, `word${k}`, "0xffffffffu")),
      "}",
    ].join("\n");
  }
}
