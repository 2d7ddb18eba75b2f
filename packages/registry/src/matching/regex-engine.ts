import { ConfigError } from "@weft/tensor-core";
import { RE2JS } from "re2js";
import { translatePythonRegex } from "./python-regex.js";

/** Longer patterns are refused: matching takes time proportional to the pattern's length times the name's. */
export const MAX_PATTERN_LENGTH = 16384;

/** `full`: Python's `re.fullmatch`; `start`: Python's `re.match`. */
export type Anchoring = "full" | "start";

export interface RegexMatch {
  /** What the group named `idx` matched, if the pattern has one. */
  readonly idx: string | undefined;
}

/** Compiles a Python pattern of a config field. @throws ConfigError kinds `config-regex`, `unsafe-regex`, `limit` */
export type RegexEngine = (pattern: string, anchoring: Anchoring, field: string) => (text: string) => RegexMatch | undefined;

/** The default engine: RE2, which takes time proportional to the text whatever the pattern. */
export const safeRegex: RegexEngine = (pattern, anchoring, field) => {
  checkPatternLength(pattern, field);
  const compiled = compile(translatePythonRegex(pattern, "re2", field), field);
  if (!pattern.includes("(?P<idx>")) {
    if (anchoring === "full") return (text) => (compiled.matches(text) ? NO_GROUP : undefined);
    return (text) => (compiled.matcher(text).lookingAt() ? NO_GROUP : undefined);
  }
  return (text) => {
    const matcher = compiled.matcher(text);
    const found = anchoring === "full" ? matcher.matches() : matcher.lookingAt();
    return found ? { idx: matcher.group("idx") ?? undefined } : undefined;
  };
};

const NO_GROUP: RegexMatch = { idx: undefined };

export function checkPatternLength(pattern: string, field: string): void {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new ConfigError(`${field}: a pattern of ${pattern.length} characters is over the limit of ${MAX_PATTERN_LENGTH}`, {
      kind: "limit",
      hint: "list the module names instead",
    });
  }
}

function compile(translated: string, field: string): RE2JS {
  try {
    return RE2JS.compile(translated);
  } catch (cause) {
    // The translation already checked the grammar, so what RE2 refuses here is too large or beyond it.
    throw new ConfigError(
      `${field}: the safe regex engine refuses ${JSON.stringify(translated.slice(0, 80))}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        kind: "unsafe-regex",
        hint: "list the module names instead",
        cause,
      },
    );
  }
}
