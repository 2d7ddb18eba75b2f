import { Environment, type Value } from "./jinja.js";

// The classes of values are not exported, so that they are taken from values.
const sample = new Environment();
const StringValue = sample.set("text", "").constructor as new (value: string) => Value;
const IntegerValue = sample.set("number", 0).constructor as new (value: number) => Value;
const BooleanValue = sample.set("truth", true).constructor as new (value: boolean) => Value;

/** A text as a value of a template. */
export const textValue = (text: string): Value => new StringValue(text);
/** A truth value. */
export const truthValue = (truth: boolean): Value => new BooleanValue(truth);

/** What Python's `str.strip` takes as white space, which is not what JavaScript's `trim` does. */
const WHITE_SPACE = new Set(
  "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

/** `str.strip`, `str.lstrip` and `str.rstrip`. @param characters those that are removed; white space if not given */
export function strip(text: string, sides: "both" | "left" | "right", characters?: string): string {
  const set = characters === undefined ? WHITE_SPACE : new Set(characters);
  const all = [...text];
  let [from, to] = [0, all.length];
  if (sides !== "right") while (from < to && set.has(all[from]!)) from++;
  if (sides !== "left") while (from < to && set.has(all[to - 1]!)) to--;
  return all.slice(from, to).join("");
}

/** `str.capitalize`. */
export function capitalize(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** `repr` of a text. */
function reprOfText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\'"]|[^\P{C}]|[^\P{Z}]/gu, (char) => {
    if (char === " ") return char;
    if (char === "'" || char === '"') return char === quote ? `\\${char}` : char;
    const short = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    if (short !== undefined) return short;
    const code = char.codePointAt(0)!;
    const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x1_0000 ? ["u", 4] : ["U", 8];
    return `\\${letter}${code.toString(16).padStart(digits as number, "0")}`;
  });
  return quote + escaped + quote;
}

/** `repr` of a value. @throws Error for functions and namespaces, whose text Python makes of their addresses */
function repr(value: Value): string {
  switch (value.type) {
    case "StringValue":
      return reprOfText(value.value as string);
    case "ArrayValue":
      return `[${(value.value as Value[]).map(repr).join(", ")}]`;
    case "TupleValue": {
      const items = (value.value as Value[]).map(repr);
      return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
    }
    case "ObjectValue":
      return `{${[...(value.value as Map<string, Value>)].map(([key, one]) => `${reprOfText(key)}: ${repr(one)}`).join(", ")}}`;
    case "UndefinedValue":
      return "Undefined";
    default:
      return str(value);
  }
}

/** What Python's `str` makes of a value: `True`, `None`, `['a']`. */
export function str(value: Value): string {
  switch (value.type) {
    case "StringValue":
      return value.value as string;
    case "BooleanValue":
      return value.value ? "True" : "False";
    case "NullValue":
      return "None";
    case "UndefinedValue":
      return "";
    case "IntegerValue":
    case "FloatValue":
      return value.toString();
    case "FunctionValue":
    case "NamespaceValue":
      throw new Error(`a ${value.type === "FunctionValue" ? "function" : "namespace"} has no text`);
    default:
      return repr(value);
  }
}

const NUMBERS = new Set(["IntegerValue", "FloatValue", "BooleanValue"]);
type ValueClass = new (value: unknown) => Value;
/** How Python calls the types of values. */
const PYTHON_NAMES: Readonly<Record<string, string>> = {
  StringValue: "str",
  ArrayValue: "list",
  TupleValue: "tuple",
  ObjectValue: "dict",
  NullValue: "NoneType",
  UndefinedValue: "Undefined",
  BooleanValue: "bool",
  IntegerValue: "int",
  FloatValue: "float",
};
export const pythonName = ({ type }: Value): string => PYTHON_NAMES[type] ?? type;

/** Python's `+`, which takes two texts, two lists or two numbers. @throws Error for others */
export function add(a: Value, b: Value): Value {
  if (a.type === "StringValue" && b.type === "StringValue") return textValue((a.value as string) + (b.value as string));
  if (a.type === b.type && Array.isArray(a.value)) return new (a.constructor as ValueClass)([...a.value, ...(b.value as Value[])]);
  if (!NUMBERS.has(a.type) || !NUMBERS.has(b.type)) throw new Error(`cannot add ${pythonName(b)} to ${pythonName(a)}`);
  const sum = Number(a.value) + Number(b.value);
  const float = [a, b].find(({ type }) => type === "FloatValue");
  return float ? new (float.constructor as ValueClass)(sum) : new IntegerValue(sum);
}

/** Python's `==`. */
export function equal(a: Value, b: Value): boolean {
  if (NUMBERS.has(a.type) && NUMBERS.has(b.type)) return Number(a.value) === Number(b.value);
  if (a.type !== b.type) return false;
  if (a.type === "ArrayValue" || a.type === "TupleValue") {
    const [x, y] = [a.value as Value[], b.value as Value[]];
    return x.length === y.length && x.every((one, i) => equal(one, y[i]!));
  }
  if (a.type === "ObjectValue") {
    const [x, y] = [a.value as Map<string, Value>, b.value as Map<string, Value>];
    return x.size === y.size && [...x].every(([key, one]) => y.has(key) && equal(one, y.get(key)!));
  }
  return a.value === b.value;
}
