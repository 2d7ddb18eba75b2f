import type { Operand } from "@weft/tensor-core";
import { lanes, encodeValue } from "./storage.js";
import type { OutputRef, Shader } from "./shader.js";

/** The values of one element: statements, then an expression per output (register values, or stored bits with `bits`). */
export interface ElementText {
  readonly text: string;
  readonly values: readonly string[];
  readonly bits?: boolean;
  /** A bool expression; elements for which it is false are left as they are. */
  readonly keep?: string;
}

/** Elements that one thread computes so that it owns whole words of every output. */
function elementsPerThread(outputs: readonly Operand[]): number {
  return outputs.reduce((most, o) => Math.max(most, lanes(o.dtype)), 1);
}

/** True if threads with as many elements each meet word borders in all outputs alike. */
export function sameGrid(outputs: readonly Operand[]): boolean {
  const each = elementsPerThread(outputs);
  const widest = outputs.find((o) => lanes(o.dtype) === each)!;
  return outputs.every((o) => o.offset % lanes(o.dtype) === widest.offset % lanes(o.dtype));
}

/**
 * A body that computes `count` elements of contiguous outputs, one after the other: each thread owns whole words, so that no two
 * threads ever write the same word, whatever the offsets and the odd tail are.
 * @param element writes the element whose number is the u32 `i`
 */
export function mapBody(
  shader: Shader,
  outputs: readonly Operand[],
  count: number,
  element: (i: string) => ElementText,
): { body: string; groups: number } {
  const refs = outputs.map((o) => shader.output(o));
  const each = elementsPerThread(outputs);
  const offsets = outputs.map((o) => shader.u32(o.offset));
  const n = shader.u32(count);
  if (each === 1) {
    const { text, values, bits, keep } = element("i");
    const stores = refs.map((ref, k) =>
      bits ? ref.storeBits(`${offsets[k]} + i`, values[k]!) : ref.store(`${offsets[k]} + i`, values[k]!),
    );
    const guarded = keep ? [`if (${keep}) {`, ...stores, "}"] : stores;
    return {
      body: ["let i = tid;", `if (i >= ${n}) { return; }`, text, ...guarded].join("\n"),
      groups: Math.ceil(count / shader.workgroup),
    };
  }
  const shift = outputs.find((o) => lanes(o.dtype) === each)!.offset % each;
  const phase = shader.u32(shift);
  const packed = outputs.map((o) => lanes(o.dtype) > 1);
  const { text, values, bits, keep } = element("i");
  const lines = [
    `if (tid * ${each}u >= ${n} + ${phase}) { return; }`,
    ...outputs.flatMap((_, k) => (packed[k] ? [`var word${k} = 0u;`, `var mask${k} = 0u;`] : [])),
    `for (var l = 0u; l < ${each}u; l++) {`,
    `let i = tid * ${each}u + l - ${phase};`,
    `if (i < ${n}) {`,
    text,
    keep ? `if (${keep}) {` : "{",
    ...outputs.map((o, k) => laneText(refs[k]!, o, k, offsets[k]!, values[k]!, bits ?? false)),
    "}",
    "}",
    ...outputs.flatMap((o, k) => {
      const e = lanes(o.dtype);
      return packed[k]
        ? [
            `if (l % ${e}u == ${e - 1}u) { ${refs[k]!.storeWord(`(${offsets[k]} + i) / ${e}u`, `word${k}`, `mask${k}`)} word${k} = 0u; mask${k} = 0u; }`,
          ]
        : [];
    }),
    "}",
  ];
  return { body: lines.join("\n"), groups: Math.ceil((count + shift) / each / shader.workgroup) };
}

function laneText(ref: OutputRef, { dtype }: Operand, k: number, offset: string, value: string, bits: boolean): string {
  const e = lanes(dtype);
  if (e === 1) return bits ? ref.storeBits(`${offset} + i`, value) : ref.store(`${offset} + i`, value);
  const width = 32 / e;
  const at = `((l % ${e}u) * ${width}u)`;
  return `word${k} |= (${bits ? value : encodeValue(dtype, value)}) << ${at};\nmask${k} |= 0x${"f".repeat(width / 4)}u << ${at};`;
}
