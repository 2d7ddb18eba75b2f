import { InvalidArgumentError } from "@commander-js/extra-typings";
import { parseByteSize } from "@weft/fine-tuning/fields";
import { meantName } from "@weft/tensor-core/names";
import type { BlockWeight } from "../commands/combine.js";

/** A number within bounds, which `expected` tells a user. */
const within =
  (low: number, high: number, expected: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= low && value <= high)) throw new InvalidArgumentError(`expected ${expected}`);
    return value;
  };

const whole =
  (low: number, high: number, expected: string) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) throw new InvalidArgumentError(`expected ${expected}`);
    return value;
  };

export const share = within(0, 1, "a share from 0 to 1");
export const size = within(0, Number.MAX_VALUE, "a number from 0 up");
export const positive = within(Number.MIN_VALUE, Number.MAX_VALUE, "a number above 0");
export const natural = whole(0, Number.MAX_SAFE_INTEGER, "a whole number from 0 up");
/** Of tokens, texts and the like. */
export const count = whole(1, Number.MAX_SAFE_INTEGER, "a whole number from 1 up");
export const rank = whole(1, 65536, "a rank from 1 to 65536");
export const threads = whole(1, 1024, "a whole number from 1 to 1024");

/** "-1" or a number from 1 up. */
export const groupSize = (text: string): number =>
  text === "-1" ? -1 : whole(1, 65536, "a whole number from 1, or -1 for whole rows")(text);

/** One of some names; others are answered with what they may have meant. */
export const choice =
  (names: readonly string[]) =>
  (text: string): string => {
    if (names.includes(text)) return text;
    const meant = meantName(text, names);
    throw new InvalidArgumentError(`Choose one of ${names.join(", ")}.${meant === undefined ? "" : `\n(Did you mean ${meant}?)`}`);
  };

/** "256MB", "4GiB", "1000000": bytes. */
export function byteSize(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === undefined) throw new InvalidArgumentError("expected a size such as 256MB or 4GB");
  return bytes;
}

/** "layers.3=0.5"; repeated options add up. */
export function blockWeight(text: string, before: BlockWeight[] = []): BlockWeight[] {
  const match = /^(.+)=([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i.exec(text);
  if (!match) throw new InvalidArgumentError("expected part=weight, such as layers.3=0.5");
  return [...before, { part: match[1]!, weight: Number(match[2]) }];
}

/** Repeated options add up. */
export const collect = (value: string, before: string[] = []): string[] => [...before, value];

/** "a, b": ["a", "b"]. */
export const list = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

export const port = whole(0, 65_535, "a port from 0 to 65535");

/** "poet=loras/poet:0.8" as name and path, behind those before it. */
export function namedPath(text: string, before: (readonly [name: string, path: string])[] = []): (readonly [name: string, path: string])[] {
  const match = /^([^=/\\]+)=(.+)$/.exec(text);
  if (!match) throw new InvalidArgumentError("expected a name and a path: poet=loras/poet");
  return [...before, [match[1]!, match[2]!]];
}
