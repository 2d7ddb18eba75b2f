import { ConfigError } from "@weft/tensor-core";
import type { DateClaim, Verdict } from "./claim.js";

const check = "date";
const DAY_MS = 86_400_000;
const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const DATE = String.raw`\d{4}-\d{2}-\d{2}`;

/** What a side of a date claim is. */
type DateValue =
  | { readonly kind: "date" | "days" | "weekday"; readonly value: number }
  | { readonly kind: "truth"; readonly value: number };

/** A date that the calendar does not have. */
class NoSuchDate extends Error {}

const dateError = (message: string): ConfigError =>
  new ConfigError(message, { kind: "calculation", hint: "write 2024-02-28 + 1 day = 2024-02-29, or weekday(2024-02-29) = Thursday" });

/** Recomputes both sides in the proleptic Gregorian calendar, years 0001 to 9999. @throws ConfigError kind `calculation` */
export function checkDate({ claim }: DateClaim): Verdict {
  const found = /^(.*?)\s*(<=|>=|!=|==|=|<|>|≤|≥|≠)\s*(.*)$/u.exec(claim.trim());
  if (!found || claim.length > 1000) throw dateError(`${JSON.stringify(claim.slice(0, 80))} is no claim about dates`);
  let sides: readonly [DateValue, DateValue];
  try {
    sides = [valueOf(found[1]!), valueOf(found[3]!)];
  } catch (error) {
    if (error instanceof NoSuchDate) return { status: "refuted", check, witness: error.message };
    throw error;
  }
  const [left, right] = sides;
  if (left.kind !== right.kind) throw dateError(`${found[1]} and ${found[3]} are not of one kind`);
  const detail = `the left side is ${told(left)}, the right ${told(right)}`;
  return holds(left.value, found[2]!, right.value) ? { status: "verified", check, detail } : { status: "refuted", check, witness: detail };
}

function holds(a: number, relation: string, b: number): boolean {
  switch (relation) {
    case "<":
      return a < b;
    case ">":
      return a > b;
    case "<=":
    case "≤":
      return a <= b;
    case ">=":
    case "≥":
      return a >= b;
    case "!=":
    case "≠":
      return a !== b;
    default:
      return a === b;
  }
}

/** Days since 1970-01-01. */
function dayOf(year: number, month: number, day: number): number {
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  return time.getTime() / DAY_MS;
}

const isoOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);

function parseDate(text: string): number {
  const [year, month, day] = text.split("-").map(Number) as [number, number, number];
  const value = dayOf(year, month, day);
  if (year < 1 || isoOf(value) !== text) throw new NoSuchDate(`the calendar has no ${text}`);
  return value;
}

const daysIn = (year: number, month: number): number => dayOf(year, month + 1, 1) - dayOf(year, month, 1);

/** A month later the day is the same, or the last of the month where it has no such day. */
function shift(day: number, count: number, unit: string): number {
  if (unit === "day") return inRange(day + count);
  if (unit === "week") return inRange(day + 7 * count);
  const date = new Date(day * DAY_MS);
  const months = date.getUTCFullYear() * 12 + date.getUTCMonth() + count * (unit === "year" ? 12 : 1);
  const [year, month] = [Math.floor(months / 12), (((months % 12) + 12) % 12) + 1];
  return inRange(dayOf(year, month, Math.min(date.getUTCDate(), daysIn(year, month))));
}

function inRange(day: number): number {
  if (!(day >= dayOf(1, 1, 1) && day <= dayOf(9999, 12, 31))) throw dateError("a date lies outside of the years 0001 to 9999");
  return day;
}

function valueOf(text: string): DateValue {
  const side = text.trim();
  const difference = new RegExp(`^(${DATE})\\s*-\\s*(${DATE})$`, "u").exec(side);
  if (difference) return { kind: "days", value: parseDate(difference[1]!) - parseDate(difference[2]!) };
  const shifted = new RegExp(`^(${DATE})((?:\\s*[-+]\\s*\\d{1,7}\\s*(?:day|week|month|year)s?)*)$`, "u").exec(side);
  if (shifted) {
    let value = parseDate(shifted[1]!);
    for (const [, sign, count, unit] of shifted[2]!.matchAll(/([-+])\s*(\d+)\s*(day|week|month|year)/gu))
      value = shift(value, Number(`${sign}${count}`), unit!);
    return { kind: "date", value };
  }
  const weekday = new RegExp(`^weekday\\s*\\(\\s*(${DATE})\\s*\\)$`, "iu").exec(side);
  if (weekday) return { kind: "weekday", value: (((parseDate(weekday[1]!) + 4) % 7) + 7) % 7 };
  const named = WEEKDAYS.indexOf(side.toLowerCase());
  if (named >= 0) return { kind: "weekday", value: named };
  const leap = /^leap\s*\(\s*(\d{1,4})\s*\)$/iu.exec(side);
  if (leap) return { kind: "truth", value: daysIn(Number(leap[1]), 2) - 28 };
  if (/^(?:true|false)$/iu.test(side)) return { kind: "truth", value: side.toLowerCase() === "true" ? 1 : 0 };
  const month = /^days\s*\(\s*(\d{4})-(0[1-9]|1[0-2])\s*\)$/iu.exec(side);
  if (month) return { kind: "days", value: daysIn(Number(month[1]), Number(month[2])) };
  const days = /^(-?\d{1,9})(?:\s*days?)?$/iu.exec(side);
  if (days) return { kind: "days", value: Number(days[1]) };
  throw dateError(`${JSON.stringify(side.slice(0, 80))} is neither a date nor a number of days`);
}

function told({ kind, value }: DateValue): string {
  if (kind === "date") return isoOf(value);
  if (kind === "weekday") return `${WEEKDAYS[value]![0]!.toUpperCase()}${WEEKDAYS[value]!.slice(1)}`;
  return kind === "days" ? `${value} days` : `${value === 1}`;
}
