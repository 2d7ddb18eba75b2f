import { isFloat, type Operand } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { Shader } from "../../wgsl/shader.js";
import type { Dispatch, Kernel, LowerContext } from "../kernel.js";

/** An i32 that is ordered as the element is: NaN above all, both zeros alike. On bits, as comparisons may flush small numbers. */
const KEY_OF_FLOAT = `fn key_of(x: f32) -> i32 {
let b = bitcast<i32>(x);
let size = b & 0x7fffffff;
if (size > 0x7f800000) { return 0x7fffffff; }
return select(b ^ ((b >> 31u) & 0x7fffffff), 0, size == 0);
}`;

/**
 * The primitive `argsort`: a bitonic sort of all lines at once, filled up to a power of two, by key and then by place, so that equal elements stay
 * in order. A dispatch exchanges pairs at one distance.
 */
export const argsort: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const lines = outer * inner;
  const width = 2 ** Math.ceil(Math.log2(Math.max(2, n)));
  const keys = context.temporary([lines, width], "i32");
  const places = context.temporary([lines, width], "i32");
  const dispatches = [fill(x, keys, places, { n, inner, lines, width, descending: attrs.descending as boolean }, context)];
  for (let size = 2; size <= width; size *= 2)
    for (let distance = size / 2; distance >= 1; distance /= 2)
      dispatches.push(exchange(keys, places, lines * width, size, distance, context));
  const shader = new Shader("argsort", context);
  const [from, to] = [shader.input(places), shader.output(y)];
  const [stride, length] = [shader.u32(inner), shader.u32(n)];
  const body = `if (tid >= ${shader.u32(lines * n)}) { return; }
let line = tid / ${length};
let i = tid % ${length};
let at = ((line / ${stride}) * ${length} + i) * ${stride} + line % ${stride};
${to.store(`${shader.u32(y.offset)} + at`, from.load(`line * ${shader.u32(width)} + i`))}`;
  return [...dispatches, shader.dispatch(body, Math.ceil((lines * n) / shader.workgroup))];
};

interface Lines {
  readonly n: number;
  readonly inner: number;
  readonly lines: number;
  readonly width: number;
  readonly descending: boolean;
}

/** Keys and places; behind the end of a line the largest key, with a place behind all others. */
function fill(x: Operand, keys: Operand, places: Operand, { n, inner, lines, width, descending }: Lines, context: LowerContext): Dispatch {
  const shader = new Shader("argsort keys", context);
  const from = shader.input(x);
  const [key, place] = [shader.output(keys), shader.output(places)];
  const [stride, length, wide] = [shader.u32(inner), shader.u32(n), shader.u32(width)];
  const load = from.load(`${shader.u32(x.offset)} + ((line / ${stride}) * ${length} + i) * ${stride} + line % ${stride}`);
  if (isFloat(x.dtype)) shader.declare(KEY_OF_FLOAT);
  const value = isFloat(x.dtype) ? `key_of(${load})` : load;
  const body = `if (tid >= ${shader.u32(lines * width)}) { return; }
let line = tid / ${wide};
let i = tid % ${wide};
var k = 0x7fffffff;
if (i < ${length}) { k = ${descending ? `~(${value})` : value}; }
${key.store("tid", "k")}
${place.store("tid", "i32(i)")}`;
  return shader.dispatch(body, Math.ceil((lines * width) / shader.workgroup));
}

/** Pairs at `distance` put in order: rising in every other run of `size` elements, falling in between. */
function exchange(keys: Operand, places: Operand, count: number, size: number, distance: number, context: LowerContext): Dispatch {
  const shader = new Shader("argsort exchange", context);
  const [key, place] = [shader.output(keys), shader.output(places)];
  const d = shader.u32(distance);
  const line = shader.u32(keys.shape[1]!);
  const body = `if (tid >= ${shader.u32(count / 2)}) { return; }
let a = (tid / ${d}) * ${d} * 2u + tid % ${d};
let b = a + ${d};
let ka = ${key.load("a")};
let kb = ${key.load("b")};
let pa = ${place.load("a")};
let pb = ${place.load("b")};
let rising = ((a % ${line}) & ${shader.u32(size)}) == 0u;
let after = ka > kb || (ka == kb && pa > pb);
if (after == rising) {
${key.store("a", "kb")}
${key.store("b", "ka")}
${place.store("a", "pb")}
${place.store("b", "pa")}
}`;
  return shader.dispatch(body, Math.ceil(count / 2 / shader.workgroup));
}
