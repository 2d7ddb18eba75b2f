import { type AdapterMethod, camel, ConfigError, type FieldTable } from "@weft/tensor-core";
import { type RegexEngine, safeRegex } from "./regex-engine.js";
import { withValues } from "./with-values.js";

/**
 * Total work that the patterns of one config may cause, in character comparisons of plain keys (a regular expression counts
 * as 64). About a second; real adapters stay a thousand times below.
 */
export const MAX_PATTERN_WORK = 100_000_000;
const REGEX_COST = 64;

/** A key that needs no regex engine: plain characters, the dot (any character), an escaped dot, `^` in front, `$` at the end. */
const PLAIN_KEY = /^\^?(?:[A-Za-z0-9_-]|\.|\\\.)+\$?$/;

/**
 * PEFT's `get_pattern_key`: picks for a module the first key, in the order given, with `re.match("(.*\.)?(KEY)$", name)`.
 * Used for `rank_pattern`, `alpha_pattern` and their like.
 *
 * @param field name of the config field, for messages
 * @throws ConfigError kinds `config-regex`, `unsafe-regex`; the returned function kind `limit`
 */
export function createPatternPicker(
  keys: Iterable<string>,
  field: string,
  engine: RegexEngine = safeRegex,
): (name: string) => string | undefined {
  const tests = [...keys].map((key) => ({ key, ...testOf(key, field, engine) }));
  let work = 0;
  return (name) => {
    for (const { key, cost, test } of tests) {
      work += cost;
      if (work > MAX_PATTERN_WORK) {
        throw new ConfigError(`${field}: ${tests.length} patterns over this many modules take too long`, {
          kind: "limit",
          hint: "use fewer patterns",
        });
      }
      if (test(name)) return key;
    }
    return undefined;
  };
}

function testOf(key: string, field: string, engine: RegexEngine): { cost: number; test: (name: string) => boolean } {
  if (PLAIN_KEY.test(key)) return { cost: 1, test: plainTest(key) };
  engine(key, "full", field); // on its own first: `a)|(b` must not escape the parentheses around it
  const match = engine(`(.*\\.)?(${key})`, "full", field);
  return { cost: REGEX_COST, test: (name) => match(name) !== undefined };
}

/** The same rule for a plain key: it fits the end of the name, at the name's start or behind a dot. */
function plainTest(key: string): (name: string) => boolean {
  const fromStart = key.startsWith("^");
  const body = key.replace(/^\^|\$$/g, "");
  const letters = body.replaceAll("\\.", "\0").split("");
  return (name) => {
    const start = name.length - letters.length;
    if (start < 0 || (start > 0 && (fromStart || name[start - 1] !== "."))) return false;
    return letters.every((letter, i) => letter === "." || (letter === "\0" ? "." : letter) === name[start + i]);
  };
}

/** What a module's own values follow from: a config, and the fields of its method. */
export interface PatternedConfig<C> {
  readonly fields: FieldTable;
  /** In camelCase; patterns as objects or Maps. */
  readonly values: C;
}

/**
 * A function that gives a config's values for one module: fields of patterns replace what they override (`rank_pattern` r, `alpha_pattern` lora_alpha,
 * `n_frequency_pattern` n_frequency …), then comes what the method itself makes of the path. The result is the same object where nothing fits.
 *
 * @throws ConfigError kinds `config-regex`, `unsafe-regex`; the returned function kind `limit`
 */
export function createModuleConfig<C extends object>(
  config: PatternedConfig<C>,
  engine: RegexEngine = safeRegex,
  method?: AdapterMethod<never>,
): (path: string) => C {
  const byPattern = createPatternConfig(config, engine);
  if (!method?.configAt) return byPattern;
  const compiled = new Map<string, ReturnType<RegexEngine>>();
  const matcher = (pattern: string): ReturnType<RegexEngine> => {
    const known = compiled.get(pattern) ?? engine(pattern, "full", method.name);
    compiled.set(pattern, known);
    return known;
  };
  return (path) => method.configAt!(byPattern(path) as never, path, (pattern) => matcher(pattern)(path) !== undefined) as C;
}

function createPatternConfig<C extends object>({ fields, values }: PatternedConfig<C>, engine: RegexEngine): (path: string) => C {
  const given = values as { readonly [field: string]: unknown };
  const rules = Object.entries(fields).flatMap(([field, { overrides }]) => {
    if (overrides === undefined) return [];
    const [own, target] = [camel(field), camel(overrides)];
    const entries = new Map(entriesOf(given[own]).filter(([, value]) => typeof value === "number"));
    return !(target in given) || entries.size === 0 ? [] : [{ target, entries, pick: createPatternPicker(entries.keys(), own, engine) }];
  });
  if (rules.length === 0) return () => values;
  return (path) => {
    const changes = new Map<string, unknown>();
    for (const { target, entries, pick } of rules) {
      const key = pick(path);
      if (key !== undefined) changes.set(target, entries.get(key));
    }
    return changes.size === 0 ? values : withValues(values, Object.fromEntries(changes));
  };
}

const entriesOf = (patterns: unknown): [string, unknown][] => {
  if (patterns instanceof Map) return [...patterns.entries()] as [string, unknown][];
  return typeof patterns === "object" && patterns !== null ? Object.entries(patterns) : [];
};
