import type { Pattern } from "./syntax.js";

/** Counted repeats up to this many times are a constant factor; more count as without end. */
const FEW = 16;

/** What matters of a pattern for the time that backtracking takes. */
interface Cost {
  /** Repeats without end, one after the other, that are tried again when something after them fails. */
  readonly retried: number;
  /** Repeats without end in all. */
  readonly endless: number;
  /** Whether it can match nothing. */
  readonly nullable: boolean;
}

const NESTED = Symbol("nested");

function cost(pattern: Pattern): Cost {
  switch (pattern.kind) {
    case "set":
      return { retried: 0, endless: 0, nullable: false };
    case "assertion":
      return { retried: 0, endless: 0, nullable: false };
    case "choice": {
      const options = pattern.options.map(cost);
      return {
        retried: Math.max(...options.map((one) => one.retried)),
        endless: Math.max(...options.map((one) => one.endless)),
        nullable: options.some((one) => one.nullable),
      };
    }
    case "group": {
      const body = cost(pattern.body);
      // Of looking around only whether it succeeds counts, which may well be not.
      return pattern.group === "?:" ? body : { ...body, nullable: false };
    }
    case "repeat": {
      const body = cost(pattern.body);
      if (pattern.max <= FEW) return { retried: body.retried, endless: body.endless, nullable: body.nullable || pattern.min === 0 };
      if (body.endless > 0 || body.nullable || !oneCharacter(pattern.body)) throw NESTED;
      return { retried: 0, endless: 1, nullable: pattern.min === 0 };
    }
    case "sequence": {
      let [retried, endless, nullable] = [0, 0, true];
      for (const part of pattern.parts.map(cost)) {
        // What comes now can fail, so all before it is tried again.
        retried = part.nullable ? retried + part.retried : Math.max(retried, endless) + part.retried;
        endless += part.endless;
        nullable &&= part.nullable;
      }
      return { retried, endless, nullable };
    }
  }
}

/** Whether a pattern matches exactly one character, so that a repeat of it has one way to match. */
function oneCharacter(pattern: Pattern): boolean {
  if (pattern.kind === "set") return true;
  return pattern.kind === "group" && pattern.group === "?:" && oneCharacter(pattern.body);
}

/** Whether a RegExp finds a match of a pattern in time that grows no faster than with the square of the text: one repeat without end that is tried again. */
export function isSafe(pattern: Pattern): boolean {
  try {
    return cost(pattern).retried <= 1;
  } catch (error) {
    if (error === NESTED) return false;
    throw error;
  }
}
