import { ConfigError } from "@weft/tensor-core";

/** Longer patterns are refused: matching takes time proportional to the pattern's length times the name's. */
export const MAX_PATTERN_LENGTH = 16384;

/** `full`: Python's `re.fullmatch`; `start`: Python's `re.match`. */
export type Anchoring = "full" | "start";

/** A match of a pattern with a path. */
export interface RegexMatch {
  /** What the group named `idx` matched, if the pattern has one. */
  readonly idx: string | undefined;
}

/** Compiles a Python pattern of a config field. @throws ConfigError kinds `config-regex`, `unsafe-regex`, `limit` */
export type RegexEngine = (pattern: string, anchoring: Anchoring, field: string) => (text: string) => RegexMatch | undefined;

let loaded: RegexEngine | undefined;

/** Loads the default engine, a third of all code of this package, which only patterns need: everything here that is asynchronous does so by itself where a config has one. */
export async function loadRegexEngine(): Promise<void> {
  loaded ??= (await import("./re2-engine.js")).re2Engine;
}

/**
 * The default engine, RE2: takes time proportional to the text whatever the pattern.
 * @throws ConfigError kind `regex-not-loaded` before `loadRegexEngine()`
 */
export const safeRegex: RegexEngine = (pattern, anchoring, field) => {
  if (loaded) return loaded(pattern, anchoring, field);
  throw new ConfigError(
    `${field}: ${JSON.stringify(pattern.slice(0, 80))} is a regular expression, and the engine for them is not loaded`,
    {
      kind: "regex-not-loaded",
      hint: "await loadRegexEngine() before",
    },
  );
};

export function checkPatternLength(pattern: string, field: string): void {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new ConfigError(`${field}: a pattern of ${pattern.length} characters is over the limit of ${MAX_PATTERN_LENGTH}`, {
      kind: "limit",
      hint: "list the module names instead",
    });
  }
}
