import type { TrainField } from "@weft/fine-tuning/fields";

const NUMBERS: ReadonlySet<string> = new Set(["count", "natural", "positive", "share", "size"]);

/** Whether a field holds a number. */
export const isNumber = ({ kind }: TrainField): boolean => NUMBERS.has(kind);

/** What a person has written, as the value of a field; undefined for nothing. What is not of its kind is kept as it is: it is told then. */
export function valueOf(field: TrainField, text: string): unknown {
  const written = text.trim();
  if (written === "") return undefined;
  if (isNumber(field)) return Number.isNaN(Number(written)) ? written : Number(written);
  if (field.kind === "texts") return text.split("\n").filter((line) => line.trim() !== "");
  if (field.kind !== "map") return written;
  try {
    return JSON.parse(written) as unknown;
  } catch {
    return written;
  }
}

/** A value as it is written. */
export function textOf({ kind }: TrainField, value: unknown): string {
  if (value === undefined) return "";
  if (kind === "texts" && Array.isArray(value)) return value.join("\n");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
