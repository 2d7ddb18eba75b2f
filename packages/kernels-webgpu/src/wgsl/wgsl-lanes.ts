import { type LaneMachine, type LaneOp, type Lanes, lanesOf, type ShiftOp } from "@weft/tensor-core/program";

/** The bits of an i32 (or of what was read as one) as u32. */
const unsigned = (a: string): string => `bitcast<u32>(${a.replace(/^bitcast<i32>\((.*)\)$/, "$1")})`;

type Template = (a: string, b: string, c: string) => string;

/** WGSL for each operation. What the language leaves open for NaN is a function of `library.ts`. */
const TEMPLATES: Readonly<Record<LaneOp, Template>> = {
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  min: (a, b) => `w_min(${a}, ${b})`,
  max: (a, b) => `w_max(${a}, ${b})`,
  neg: (a) => `-${a}`,
  abs: (a) => `abs(${a})`,
  sqrt: (a) => `sqrt(${a})`,
  floor: (a) => `floor(${a})`,
  ceil: (a) => `ceil(${a})`,
  trunc: (a) => `trunc(${a})`,
  nearest: (a) => `round(${a})`,
  eq: (a, b) => `${a} == ${b}`,
  // Not `!=`, which Tint makes an ordered comparison: false for NaN.
  ne: (a, b) => `!(${a} == ${b})`,
  lt: (a, b) => `${a} < ${b}`,
  le: (a, b) => `${a} <= ${b}`,
  isNaN: (a) => `w_isnan(${a})`,
  iadd: (a, b) => `${a} + ${b}`,
  isub: (a, b) => `${a} - ${b}`,
  imul: (a, b) => `${a} * ${b}`,
  idiv: (a, b) => `${a} / ${b}`,
  imin: (a, b) => `min(${a}, ${b})`,
  imax: (a, b) => `max(${a}, ${b})`,
  iand: (a, b) => `${a} & ${b}`,
  ior: (a, b) => `${a} | ${b}`,
  ixor: (a, b) => `${a} ^ ${b}`,
  ishl: (a, b) => `select(0, ${a} << (${unsigned(b)} & 31u), ${unsigned(b)} < 32u)`,
  ishr: (a, b) => `${a} >> min(${unsigned(b)}, 31u)`,
  ineg: (a) => `-${a}`,
  iabs: (a) => `abs(${a})`,
  ieq: (a, b) => `${a} == ${b}`,
  ine: (a, b) => `${a} != ${b}`,
  ilt: (a, b) => `${a} < ${b}`,
  ile: (a, b) => `${a} <= ${b}`,
  both: (a, b) => `${a} && ${b}`,
  either: (a, b) => `${a} || ${b}`,
  differ: (a, b) => `${a} != ${b}`,
  not: (a) => `!${a}`,
  select: (a, b, c) => `select(${c}, ${b}, ${a})`,
  iselect: (a, b, c) => `select(${c}, ${b}, ${a})`,
  flag: (a) => `i32(${a})`,
  bits: (a) => `bitcast<i32>(${a})`,
  float: (a) => `bitcast<f32>(${a})`,
  toInt: (a) => `w_to_i32(${a})`,
  toFloat: (a) => `f32(${a})`,
  half: (a) => `unpack2x16float(${unsigned(a)}).x`,
};
const SHIFTS: Readonly<Record<ShiftOp, (a: string, by: number) => string>> = {
  shl: (a, by) => `${a} << ${by}u`,
  shrS: (a, by) => `${a} >> ${by}u`,
  shrU: (a, by) => `bitcast<i32>(${unsigned(a)} >> ${by}u)`,
};

/** What needs no parentheses as an operand: a name, a number, an element, a call. */
const SIMPLE = /^([\w.]+(\[[^[\]]*\]|(<\w+>)?\((?:[^()]|\([^()]*\))*\))?(\.x)?|\(-[\w.+-]+\))$/;
const REINTERPRETED = /^bitcast<\w+>\(\w+\)$/;
/** Operations that WGSL writes as calls: their operands need no parentheses. */
const CALLS = new Set(Object.entries(TEMPLATES).flatMap(([name, t]) => (/^\w+(<\w+>)?\(/.test(t("a", "b", "c")) ? [name] : [])));

/** An expression as an operand of others. */
export const operand = (text: string): string => (SIMPLE.test(text) ? text : `(${text})`);

/** Writes lane operations as WGSL: the result of each gets a name by one of the `lines`, or with `nested`, for formulas of very few, is the expression. */
export class WgslLanes implements LaneMachine<string> {
  readonly lanes: Lanes<string, string, string> = lanesOf<string>(this);
  readonly lines: string[] = [];
  private readonly nested: boolean;

  constructor(nested: boolean = false) {
    this.nested = nested;
  }

  f32(value: number): string {
    const x = Math.fround(value);
    // There are no literals of infinities and NaN, and none of a negative zero or of a subnormal that every compiler keeps.
    if (Number.isFinite(x) && (Math.abs(x) >= 2 ** -126 || Object.is(x, 0))) return x < 0 ? `(${x}f)` : `${x}f`;
    return `w_float(0x${new Uint32Array(Float32Array.of(x).buffer)[0]!.toString(16)}u)`;
  }

  i32(value: number): string {
    return value < 0 ? `i32(${value})` : `${value}`;
  }

  op(name: LaneOp, operands: readonly string[]): string {
    const [a = "", b = "", c = ""] = CALLS.has(name) ? operands : operands.map(operand);
    return this.named(TEMPLATES[name](a, b, c));
  }

  shift(name: ShiftOp, a: string, by: number): string {
    return this.named(SHIFTS[name](operand(a), by));
  }

  private named(expression: string): string {
    if (this.nested || REINTERPRETED.test(expression)) return expression;
    const name = `t${this.lines.length}`;
    this.lines.push(`let ${name} = ${expression};`);
    return name;
  }
}
