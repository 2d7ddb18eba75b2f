import { MatchError } from "@weft/tensor-core";
import type { BaseTensors, OpenedAdapter } from "@weft/adapter-files";
import { CLIP_TEXT, flatten, guessPath, NAME_MAPS, namingOf, resolveNames } from "@weft/adapter-files/dialects";
import type { ConvertModule } from "./convert-module.js";

/**
 * Gives modules whose names have underscores their dots back: from the base's own names, else from the tables of the model families, else by a guess. With a base, modules learn the shapes of
 * their weights.
 * @throws MatchError kind `ambiguous-name` where the base has several modules of one flat name and one shape
 */
export function withDots(modules: readonly ConvertModule[], adapter: OpenedAdapter, base: BaseTensors | undefined): ConvertModule[] {
  const known = base ? pathsInBase(adapter, base) : new Map<string, string>();
  const table = namesInTables(modules, adapter);
  return modules.map((module) => {
    const [{ source }] = module.pieces as [{ source: string }];
    const found = known.get(source);
    const shape = found === undefined ? undefined : base!.info(`${found}.weight`).shape;
    const learned = { ...module, ...(shape && { weightShape: shape }) };
    if (!adapter.modules.get(source)!.flat) return learned;
    // A base's path may begin with its name of the component, or be another name of the same module.
    const exact = (found === undefined ? undefined : tailOf(found, module.path)) ?? table(module);
    return { ...learned, path: exact ?? guessPath(module.path), guessed: exact === undefined };
  });
}

/** The names that the tables of the family, or of most of its candidates, have for flat ones. */
function namesInTables(modules: readonly ConvertModule[], adapter: OpenedAdapter): (module: ConvertModule) => string | undefined {
  const flat = modules.filter(({ pieces: [piece] }) => adapter.modules.get(piece!.source)!.flat);
  const { candidates, style } = namingOf(flat.filter(({ component }) => component === "denoiser"));
  const maps = candidates.map((family) => NAME_MAPS[family]);
  return ({ component, path }) => {
    if (component !== "denoiser") return CLIP_TEXT.known(path, "diffusers");
    const spelled = maps.flatMap((map) => map.known(path, style!) ?? []);
    const votes = (name: string): number => maps.filter((map) => map.known(name, style!) !== undefined).length;
    return spelled.toSorted((a, b) => votes(b) - votes(a))[0];
  };
}

/** The end of a dotted path whose flat form is `flat`. */
function tailOf(path: string, flat: string): string | undefined {
  const tail = path.slice(-flat.length);
  return flatten(tail) === flat && (tail.length === path.length || path[path.length - tail.length - 1] === ".") ? tail : undefined;
}

/** Modules by their keys in the adapter, where the base has exactly one for them, under its dense weight's path. */
function pathsInBase(adapter: OpenedAdapter, base: BaseTensors): Map<string, string> {
  const foreign = new Map([...adapter.modules].map(([id, module]) => [id, { ...module, name: id }]));
  const { adapter: resolved, unplaced } = resolveNames({ ...adapter, modules: foreign }, base);
  const problem = unplaced.find(({ ambiguous }) => ambiguous);
  if (problem)
    throw new MatchError(problem.message, {
      kind: "ambiguous-name",
      tensor: problem.path,
      hint: "only a file that keeps the dots says which one it is",
    });
  const weights = new Set(base.names());
  const counts = new Map<string, number>();
  for (const { name } of resolved.modules.values()) counts.set(name!, (counts.get(name!) ?? 0) + 1);
  const whole = [...resolved.modules.values()].filter(({ name, path }) => counts.get(name!) === 1 && weights.has(`${path}.weight`));
  return new Map(whole.map(({ name, path }) => [name!, path]));
}
