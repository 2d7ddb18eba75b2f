import { writeFields } from "@weft/tensor-core";
import { COMMON_FIELDS } from "./common-fields.js";
import type { AdapterConfig } from "./read-config.js";

/**
 * The text of `adapter_config.json`, as PEFT writes it: every field of the method, keys sorted, indent 2, ASCII only,
 * floats with a decimal point, no newline at the end. Unknown fields come back as they were read.
 */
export function writeAdapterConfig(config: AdapterConfig): string {
  const fields = new Map<string, unknown>(config.unknown);
  for (const [name, value] of Object.entries(writeFields({ ...COMMON_FIELDS, ...config.fields }, config.values))) fields.set(name, value);
  fields.set("peft_type", config.peftType);
  return pythonJson(fields, "", "", (field) => config.fields[field]?.float === true);
}

/** JSON in the layout of Python's `json.dumps(value, indent=2, sort_keys=True)`. @param field where it is: `kasa_config.beta`; @param isFloat of the fields at the top */
function pythonJson(value: unknown, indent: string, field: string, isFloat: (field: string) => boolean): string {
  const inner = `${indent}  `;
  const block = (open: string, items: string[], close: string): string =>
    items.length === 0 ? open + close : `${open}\n${items.map((item) => inner + item).join(",\n")}\n${indent}${close}`;
  if (Array.isArray(value))
    return block(
      "[",
      value.map((item) => pythonJson(item, inner, `${field}[]`, isFloat)),
      "]",
    );
  if (typeof value === "object" && value !== null) {
    const entries = value instanceof Map ? [...(value as ReadonlyMap<string, unknown>)] : Object.entries(value);
    const sorted = entries.filter(([, item]) => item !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
    return block(
      "{",
      sorted.map(([key, item]) => `${ascii(key)}: ${pythonJson(item, inner, field ? `${field}.${key}` : key, isFloat)}`),
      "}",
    );
  }
  if (typeof value === "number") return isFloat(field) ? pythonFloat(value) : JSON.stringify(value);
  return typeof value === "string" ? ascii(value) : JSON.stringify(value);
}

const ascii = (text: string): string =>
  JSON.stringify(text).replace(/[\x7f-\uffff]/g, (ch) => `\\u${ch.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Python's repr of a float: shortest digits, exponent below 1e-4 and from 1e16 on. */
export function pythonFloat(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  return Number.isInteger(value) ? `${Object.is(value, -0) ? "-0" : value.toFixed(0)}.0` : String(value);
}
