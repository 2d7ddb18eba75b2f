import { type BinaryOp, type DType, isFloat, PRIMITIVES, type UnaryOp } from "@weft/tensor-core";
import { apply, convert, decodeSmallFloat, encodeSmallFloat, isSmallFloat, type Lanes, type SmallFloat } from "@weft/tensor-core/program";
import { operand, WgslLanes } from "./wgsl-lanes.js";

type Registers = Lanes<string, string, string>;
type Write = (l: Registers, operands: readonly string[]) => string;
type Type = "f32" | "i32" | "u32";

/** Comparisons with NaN may be compiled away, so that it is told by its bits. */
const BASE: Readonly<Record<string, string>> = {
  w_float: "fn w_float(bits: u32) -> f32 { return bitcast<f32>(bits); }",
  w_isnan: "fn w_isnan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }",
  w_max: "fn w_max(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, w_isnan(b)), a, w_isnan(a)); }",
  w_min: "fn w_min(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, w_isnan(b)), a, w_isnan(a)); }",
  // WGSL leaves NaN open, and the nearest f32 below 2^31 is not the largest i32.
  w_to_i32: `fn w_to_i32(x: f32) -> i32 {
  return select(select(i32(max(x, -2147483648.0)), 2147483647, x >= 2147483648.0), 0, w_isnan(x));
}`,
};

const written = new Map<string, string>();

/** The text of a library function; undefined for other names. */
export function libraryFunction(name: string): string | undefined {
  return BASE[name] ?? written.get(name);
}

/**
 * A formula as an expression if it is short, else as the call of a function with its text.
 * @param types those of the operands
 */
function write(name: string, operands: readonly string[], types: readonly Type[], result: Type, formula: Write): string {
  const machine = new WgslLanes();
  const names = types.map((_, k) => "xy"[k]!);
  const value = formula(machine.lanes, names);
  if (machine.lines.length <= 2) return formula(new WgslLanes(true).lanes, operands);
  const parameters = names.map((n, k) => `${n}: ${types[k]}`).join(", ");
  written.set(name, `fn ${name}(${parameters}) -> ${result} {\n${machine.lines.join("\n")}\nreturn ${value};\n}`);
  return `${name}(${operands.join(", ")})`;
}

/** An elementwise primitive on registers of operands of dtype `from`. */
export function operation(op: UnaryOp | BinaryOp, from: DType, operands: readonly string[]): string {
  const type = isFloat(from) ? "f32" : "i32";
  const result = PRIMITIVES[op]!.infer(
    [
      { shape: [], dtype: from },
      { shape: [], dtype: from },
    ],
    {},
  ).dtype;
  return write(
    type === "f32" ? `w_${op}` : `w_${op}_i32`,
    operands,
    operands.map(() => type),
    isFloat(result) ? "f32" : "i32",
    (l, x) => apply(l, op, from, x),
  );
}

/** Stored bits (a u32, the upper ones zero) as an f32. */
export function fromSmallFloat(dtype: SmallFloat, bits: string): string {
  return operand(write(`w_from_${dtype}`, [bits], ["u32"], "f32", (l, [b]) => decodeSmallFloat(l, `bitcast<i32>(${b})`, dtype)));
}

/** An f32 as stored bits (a u32), rounded to nearest even. */
export function toSmallFloat(dtype: SmallFloat, value: string): string {
  return write(`w_to_${dtype}`, [value], ["f32"], "u32", (l, [x]) => `bitcast<u32>(${encodeSmallFloat(l, x!, dtype)})`);
}

/** Between registers, as `cast` does. */
export function conversion(from: DType, to: DType, value: string): string {
  if (isSmallFloat(to) && from !== to) return fromSmallFloat(to, toSmallFloat(to, isFloat(from) ? value : `f32(${value})`));
  return convert(new WgslLanes(true).lanes, value, from, to);
}
