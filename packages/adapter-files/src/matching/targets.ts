import { ConfigError } from "@weft/tensor-core";
import { type RegexEngine, safeRegex } from "./regex-engine.js";

/** The fields of a config that choose modules, in camelCase; absent is the same as null. */
export interface TargetConfig {
  readonly targetModules?: string | readonly string[] | null;
  readonly excludeModules?: string | readonly string[] | null;
  readonly modulesToSave?: readonly string[] | null;
  readonly layersToTransform?: number | readonly number[] | null;
  readonly layersPattern?: string | readonly string[] | null;
  readonly targetParameters?: readonly string[] | null;
  readonly taskType?: string | null;
}

/** A module of the base, as far as targeting looks at it. */
export interface ModuleName {
  readonly path: string;
  /** A linear layer (`nn.Linear` or transformers' `Conv1D`); only `"all-linear"` asks. */
  readonly linear?: boolean;
  /** The layer that gives the logits, which `"all-linear"` leaves out. */
  readonly outputEmbedding?: boolean;
}

/** The modules that a config names, and those that it keeps out. */
export interface TargetSelection {
  /** Paths in the order of the modules given. */
  readonly matched: readonly string[];
  /** Paths kept out by `exclude_modules` or `modules_to_save`. */
  readonly excluded: readonly string[];
}

/** What patterns are matched by. */
export interface TargetOptions {
  readonly engine?: RegexEngine;
}

/** Heads of classifiers that `"all-linear"` leaves out of a model without output embedding. */
const CLASSIFIER_HEADS = ["score", "classifier"];

/**
 * Which modules a config adapts, by PEFT's rules (`check_target_module_exists`): a list matches a name that equals an entry or ends
 * in `.entry`; a string is `re.fullmatch`; `"all-linear"` is every linear layer but the head; `exclude_modules` comes first and
 * modules in `modules_to_save` are never adapted; `layers_to_transform` filters list matches by layer index.
 *
 * @throws ConfigError kind `config-schema` if nothing says what to adapt, `config-regex`, `unsafe-regex` or `limit` for a bad pattern
 * @see peft `tuners/tuners_utils.py`
 */
export function selectTargets(config: TargetConfig, modules: Iterable<string | ModuleName>, options: TargetOptions = {}): TargetSelection {
  const all = [...modules].map((module) => (typeof module === "string" ? { path: module } : module));
  const judge = createTargetMatcher(expandAllLinear(config, all), options);
  const matched: string[] = [];
  const excluded: string[] = [];
  for (const { path } of all) {
    const verdict = judge(path);
    if (verdict === "excluded") excluded.push(path);
    if (verdict === "matched") matched.push(path);
  }
  return { matched, excluded };
}

/** The rules of `selectTargets` for one name at a time; `"all-linear"` must have been expanded before. */
export function createTargetMatcher(
  config: TargetConfig,
  { engine = safeRegex }: TargetOptions = {},
): (path: string) => "matched" | "excluded" | "none" {
  const { targetModules, excludeModules, modulesToSave, targetParameters } = config;
  const isExcluded = hasEntries(excludeModules) ? nameRule(excludeModules, "exclude_modules", engine) : never;
  const isSaved = (modulesToSave ?? []).map((entry) => savedRule(entry, engine));
  let isTarget = never;
  if (targetModules !== undefined && targetModules !== null) {
    isTarget = nameRule(targetModules, "target_modules", engine);
    const inLayers = typeof targetModules === "string" ? undefined : layerRule(config, engine);
    if (inLayers) {
      const byName = isTarget;
      const direct = new Set(targetModules);
      isTarget = (path) => direct.has(path) || (byName(path) && inLayers(path));
    }
  } else if (!targetParameters) {
    throw new ConfigError("target_modules is null and the model type has no default", {
      kind: "config-schema",
      hint: 'name the modules to adapt in target_modules, or use "all-linear"',
    });
  }
  return (path) => {
    if (isExcluded(path) || isSaved.some((rule) => rule(path))) return "excluded";
    return isTarget(path) ? "matched" : "none";
  };
}

const never = (_path: string): boolean => false;
const hasEntries = (value: string | readonly string[] | null | undefined): value is string | readonly string[] =>
  value !== null && value !== undefined && value.length > 0;

/** A list: whole name or dotted suffix, without any regex. A string: `re.fullmatch`. */
function nameRule(entries: string | readonly string[], field: string, engine: RegexEngine): (path: string) => boolean {
  if (typeof entries === "string") {
    const match = engine(entries, "full", field);
    return (path) => match(path) !== undefined;
  }
  const wanted = new Set(entries);
  return (path) => {
    for (let from = 0; ;) {
      if (wanted.has(path.slice(from))) return true;
      const dot = path.indexOf(".", from);
      if (dot < 0) return false;
      from = dot + 1;
    }
  };
}

/** `re.match("(^|.*\.)ENTRY($|\..*)", path)`: the module itself or anything inside it. */
function savedRule(entry: string, engine: RegexEngine): (path: string) => boolean {
  if (/^[\w-]+$/.test(entry)) return (path) => path.split(".").includes(entry);
  const match = engine(`(^|.*\\.)${entry}($|\\..*)`, "start", "modules_to_save");
  return (path) => match(path) !== undefined;
}

/** Whether a path lies in one of `layers_to_transform`; undefined if all layers count. */
function layerRule({ layersToTransform, layersPattern }: TargetConfig, engine: RegexEngine): ((path: string) => boolean) | undefined {
  if (layersToTransform === null || layersToTransform === undefined) return undefined;
  const layers = new Set(typeof layersToTransform === "number" ? [layersToTransform] : layersToTransform);
  if (typeof layersToTransform !== "number" && layers.size === 0) return undefined;
  const patterns = hasEntries(layersPattern) ? (typeof layersPattern === "string" ? [layersPattern] : layersPattern) : [];
  const matches = patterns.map((pattern) => engine(`(?:^|.*?\\.)${pattern}\\.(?P<idx>\\d+)\\.`, "start", "layers_pattern"));
  return (path) => {
    const index = patterns.length === 0 ? firstIndex(path) : first(matches, path);
    return index !== undefined && layers.has(Number(index));
  };
}

/** The first part that is a number, has two parts before it and one after it: `.*?\.[^.]*\.(\d+)\.`. */
function firstIndex(path: string): string | undefined {
  const parts = path.split(".");
  return parts.find((part, i) => i >= 2 && i < parts.length - 1 && /^\d+$/.test(part));
}

function first(matches: readonly ReturnType<RegexEngine>[], path: string): string | undefined {
  for (const match of matches) {
    const found = match(path);
    if (found) return found.idx;
  }
  return undefined;
}

/** A config that names the modules which `"all-linear"` means. */
export function expandAllLinear(config: TargetConfig, modules: readonly ModuleName[]): TargetConfig {
  const { targetModules, taskType } = config;
  if (typeof targetModules !== "string" || targetModules.toLowerCase() !== "all-linear") return config;
  const hasOutput = modules.some((module) => module.outputEmbedding);
  const head =
    !hasOutput && taskType === "SEQ_CLS" ? CLASSIFIER_HEADS.find((name) => modules.some(({ path }) => path === name)) : undefined;
  const linear = modules.filter((module) => module.linear && !module.outputEmbedding && module.path !== head);
  return { ...config, targetModules: linear.map(({ path }) => path) };
}
