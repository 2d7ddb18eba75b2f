import type { LayerSpec, MethodEntry } from "@weft/tensor-core";
import { nearestNames } from "@weft/tensor-core/names";
import { parseDType, toCoreDType } from "@weft/io-safetensors";
import { createModuleConfig, type PatternedConfig } from "../matching/pattern-key.js";
import { selectParameters } from "../matching/target-parameters.js";
import type { AdapterModule, AdapterTensor, OpenedAdapter } from "../opened-adapter.js";
import { type BaseIndex, type BaseTensors, indexBase, withPlacements } from "./base-index.js";
import { type FittedLayer, fitLayers } from "./layer-of.js";
import { Orientations, type Oriented } from "./orientation.js";
import { assignParameters } from "./parameters.js";
import { type Located, locatePaths } from "./locate-paths.js";
import { type Placement, wholeTensor } from "./placement.js";
import type { MatchedModule, MatchOptions, MatchReport, Mismatch, Missing, Replacement } from "./match-report.js";
import { matchShared } from "./match-shared.js";
import { applyRule } from "./path-rule.js";

/** Most hints per report: each is a search through all names. */
const MAX_HINTS = 5;

/**
 * Matches an adapter to a base by names and shapes: which tensor of the base each module changes, what is replaced, and what does
 * not fit. Every tensor of the adapter occurs in the report; nothing is read but headers.
 */
export async function matchAdapter(adapter: OpenedAdapter, base: BaseTensors, options: MatchOptions = {}): Promise<MatchReport> {
  if (hasForeignNames(adapter)) {
    const { resolveNames } = await import("../dialects/resolve-names.js");
    const { adapter: resolved, unplaced, elsewhere, placements } = resolveNames(adapter, base);
    const placed = placements.size > 0 ? withPlacements(base, placements) : base;
    const locate = (path: string): string => (options.rule ? applyRule(options.rule, path) : path);
    const report = new Matcher(
      resolved,
      { base: placed, index: indexBase(placed.names()), locate, rules: [], ambiguous: [] },
      options,
    ).run();
    return { ...report, mismatched: [...unplaced, ...report.mismatched], elsewhere };
  }
  const added = [...new Set([...adapter.modulesToSave.keys(), ...adapter.embeddings.keys()].map(pathOf))];
  return new Matcher(adapter, await locatePaths(pathsOf(adapter), added, base, options), options).run();
}

/** True if names have to be looked up: files of other dialects than PEFT's. */
const hasForeignNames = ({ modules }: OpenedAdapter): boolean => [...modules.values()].some(({ component }) => component !== undefined);

const pathOf = (name: string): string => name.slice(0, name.lastIndexOf("."));

/** The paths that ought to exist in the base; replaced modules may be new, so they have no vote. */
function pathsOf({ modules, biases, trainableTokens }: OpenedAdapter): string[] {
  return [...new Set([...[...modules.values()].map(({ path }) => path), ...[...biases.keys()].map(pathOf), ...trainableTokens.keys()])];
}

const notWhole = (name: string): string => `${name}: the adapter brings its own, which the base does not hold in a tensor of its own`;

/** A module that fits a weight in more than one way. */
interface Undecided extends Oriented {
  readonly entry: Omit<MatchedModule, "layer" | "tensors">;
  readonly fits: readonly FittedLayer[];
}

const isOriented = ({ kind, shape }: LayerSpec): boolean => kind === "linear" || (kind === "parameter" && shape.length === 3);

function unknownOrientation(weight: string, stack: boolean): string {
  const how = stack ? "these are stacks of [out, in] or of [in, out]" : "it is stored [out, in] or [in, out]";
  return `${weight}: nothing tells whether ${how}, and PEFT's fan_in_fan_out is that of another module; the base's config.json with its model_type settles it`;
}

class Matcher {
  private readonly matched: MatchedModule[] = [];
  private readonly replaced: Replacement[] = [];
  private readonly tokens: { weight: string; tensor: AdapterTensor }[] = [];
  private readonly missing: Missing[] = [];
  private readonly mismatched: Mismatch[] = [];
  private readonly unused: AdapterTensor[];
  private readonly resized = new Map<string, AdapterTensor>();
  private readonly placements = new Map<string, Placement>();
  private readonly base: BaseTensors;
  private readonly index: BaseIndex;
  private readonly undecided: Undecided[] = [];
  private readonly orientations: Orientations;
  private hints = 0;

  constructor(
    private readonly adapter: OpenedAdapter,
    private readonly located: Located,
    private readonly options: MatchOptions,
  ) {
    this.unused = [...adapter.unknown];
    this.base = located.base;
    this.index = located.index;
    this.orientations = new Orientations(options.model, this.base, this.index);
  }

  run(): MatchReport {
    const { adapter } = this;
    const { rules, ambiguous } = this.located;
    for (const [name, tensor] of [...adapter.modulesToSave, ...adapter.embeddings]) this.replace(name, tensor, true);
    for (const [name, tensor] of adapter.biases) this.replace(name, tensor, false);
    this.matchModules();
    for (const [path, tensor] of adapter.trainableTokens) this.matchTokens(path, tensor);
    const found = matchShared(adapter, this.method, this.matched, this.options.otherLayers);
    this.mismatched.push(...found.mismatched);
    this.unused.push(...found.unused);
    const { matched, replaced, tokens, missing, mismatched, unused, placements } = this;
    return {
      matched,
      shared: found.shared,
      replaced,
      tokens,
      missing,
      mismatched,
      unused,
      placements,
      elsewhere: new Map(),
      rules,
      ambiguous,
    };
  }

  private get method(): MethodEntry["method"] {
    return this.methodNamed(this.adapter.method);
  }

  private get targetParameters(): readonly string[] {
    return (this.adapter.config.values as { targetParameters?: readonly string[] | null }).targetParameters ?? [];
  }

  private methodNamed(name: string): MethodEntry["method"] {
    return this.adapter.methods.get(name)?.method;
  }

  private locate(path: string): string {
    return this.located.locate(path);
  }

  /** The tensor of the base that a weight is, where it has another name; else the weight's own name. */
  private real(name: string): string {
    const placement = this.base.placement?.(name);
    return (placement && wholeTensor(placement, this.base)) ?? name;
  }

  private has(path: string, part: string): boolean {
    return this.index.modules.get(path)?.has(part) ?? false;
  }

  private replace(name: string, tensor: AdapterTensor, mayBeNew: boolean): void {
    const dot = name.lastIndexOf(".");
    const [path, part] = [this.locate(name.slice(0, dot)), name.slice(dot + 1)];
    const target = this.real(`${path}.${part}`);
    if (this.base.placement?.(target)) this.mismatched.push({ path: target, message: notWhole(target) });
    else if (this.has(path, part)) {
      const { shape } = this.base.info(target);
      const same = shape.join() === tensor.shape.join();
      // A resized embedding or head has other rows; a row of another length belongs to another model.
      const rows = mayBeNew && shape.length === tensor.shape.length && shape.slice(1).join() === tensor.shape.slice(1).join();
      if (rows && !same) this.resized.set(target, tensor);
      if (same || rows) this.replaced.push({ name: target, tensor, change: same ? "replaced" : "resized" });
      else
        this.mismatched.push({
          path: target,
          message: `${target}: the adapter's is [${tensor.shape.join(",")}], the base's is [${shape.join(",")}]`,
        });
    } else if (mayBeNew) this.replaced.push({ name: target, tensor, change: "added" });
    else this.lose(name, target, [tensor]);
  }

  private matchModules(): void {
    const configOf = createModuleConfig(
      this.adapter.config as PatternedConfig<{ [field: string]: unknown }>,
      this.options.engine,
      this.method,
    );
    const byPath = new Map<string, [string, AdapterModule][]>();
    for (const entry of this.adapter.modules) {
      const group = byPath.get(entry[1].path) ?? [];
      byPath.set(entry[1].path, group);
      group.push(entry);
    }
    for (const [path, group] of byPath) {
      const basePath = this.locate(path);
      const own = ["weight", "in_proj_weight", "qweight"].find((part) => this.has(basePath, part));
      const dot = basePath.lastIndexOf(".");
      // A parameter that is no module's weight, by its own name.
      if (!own && this.has(basePath.slice(0, Math.max(0, dot)), basePath.slice(dot + 1))) {
        for (const entry of group)
          this.matchModule(entry, basePath.slice(0, Math.max(0, dot)), basePath.slice(dot + 1), configOf(path), true);
        continue;
      }
      // Several wrappers of one module are for several parameters; several methods for one layer have no depth.
      if (own && group.every(([, { depth }]) => depth === 0)) {
        // PEFT's patterns look at the whole name of a parameter that is a target itself.
        const named = selectParameters(this.targetParameters, [`${path}.${own}`]).length > 0;
        for (const entry of group) this.matchModule(entry, basePath, own, configOf(named ? `${path}.${own}` : path));
      } else this.matchParameters(group, path, basePath, configOf);
    }
    this.settleUndecided();
  }

  private matchModule(
    [id, module]: [string, AdapterModule],
    path: string,
    part: string,
    config: { [field: string]: unknown },
    parameter = false,
  ): void {
    const asked = path === "" ? part : `${path}.${part}`;
    const weight = this.real(asked);
    const name = module.method ?? this.adapter.method;
    const method = this.methodNamed(name);
    const biasPart = part === "in_proj_weight" ? "in_proj_bias" : "bias";
    const bias = !parameter && this.has(path, biasPart) ? this.real(`${path}.${biasPart}`) : undefined;
    for (const placed of [weight, bias ?? weight]) {
      const placement = this.base.placement?.(placed);
      if (placement) this.placements.set(placed, placement);
    }
    const own = { ...config, ...module.config, ...this.insideAttention(module, config) };
    const entry = { id, path: weight === asked ? path : pathOf(weight), weight, bias, method: name, config: own };
    const { shape, dtype } = this.shapeOf(weight);
    const core = toCoreDType(parseDType(dtype) ?? "F64");
    if (!method || !core || !/^(f|bf)/.test(core) || part === "qweight") {
      this.matched.push({ ...entry, layer: undefined, tensors: module.tensors });
      return;
    }
    // A resized vocabulary is the adapter's, not the model's.
    const known = this.options.layer?.(parameter ? weight : path);
    const fits = fitLayers(method, own, module, {
      shape,
      dtype: core,
      bias: bias !== undefined,
      parameter,
      layer: known && this.resized.has(weight) ? { ...known, shape } : known,
    });
    if ("problem" in fits) {
      this.mismatched.push({ path: weight, message: `${parameter ? weight : path}: ${fits.problem}` });
      return;
    }
    const [fitted, another] = fits;
    const oriented = { path, stack: parameter };
    // Only PEFT's adapters are for weights that are stored [in, out].
    if (another && module.component === undefined) this.undecided.push({ ...oriented, entry, fits });
    else this.settle(entry, fitted!);
    if (!another && isOriented(fitted!.layer)) this.orientations.learn(oriented, fitted!.layer.transposed === true);
  }

  /** PEFT 0.21.2 adds the change of the `out_proj` of an `nn.MultiheadAttention` twice, in its forward as in its merge: so it was trained. */
  private insideAttention({ inside }: AdapterModule, { loraAlpha }: { readonly [field: string]: unknown }): object {
    const twice = inside !== undefined && typeof loraAlpha === "number" && this.has(this.locate(inside), "in_proj_weight");
    return twice ? { loraAlpha: 2 * loraAlpha } : {};
  }

  private settle(entry: Omit<MatchedModule, "layer" | "tensors">, { config, layer, tensors, unused }: FittedLayer): void {
    this.matched.push({ ...entry, config: config as MatchedModule["config"], layer, tensors });
    this.unused.push(...unused);
  }

  /** Modules whose shapes fit either way: by what the shapes of others tell, and what is known of the model. */
  private settleUndecided(): void {
    const { fanInFanOut = false } = this.adapter.config.values as { readonly fanInFanOut?: boolean };
    const { peftVersion } = this.adapter.config.values as { readonly peftVersion?: string | null };
    for (const { entry, fits, ...oriented } of this.undecided) {
      const turned = this.orientations.decide(oriented, { fanInFanOut, peftVersion });
      const fitted = fits.find(({ layer }) => (layer.transposed === true) === turned);
      if (fitted) this.settle(entry, fitted);
      else this.mismatched.push({ path: entry.weight, message: unknownOrientation(entry.weight, oriented.stack) });
    }
    const order = new Map([...this.adapter.modules.keys()].map((id, i) => [id, i]));
    this.matched.sort((a, b) => order.get(a.id)! - order.get(b.id)!);
  }

  /** `target_parameters`: the module's parameters by wrapper, decided by shape. */
  private matchParameters(
    group: readonly [string, AdapterModule][],
    path: string,
    basePath: string,
    configOf: (path: string) => { [field: string]: unknown },
  ): void {
    const targets = this.targetParameters;
    const names = [...(this.index.modules.get(basePath) ?? [])].map((part) => `${basePath}.${part}`);
    const chosen = selectParameters(
      [...targets, ...targets.map((target) => this.locate(pathOf(target)) + target.slice(target.lastIndexOf(".")))],
      names,
    );
    const assigned = assignParameters(
      group.map(([, module]) => module),
      chosen.map((name) => ({ name, shape: this.base.info(name).shape })),
    );
    if (chosen.length === 0 || (chosen.length < group.length && this.located.refusal?.(path) !== undefined)) {
      for (const [, { tensors }] of group) this.lose(path, basePath, [...tensors.values()]);
      return;
    }
    group.forEach((item, i) => {
      const name = assigned[i];
      if (name === undefined)
        this.mismatched.push({
          path: basePath,
          message: `${basePath}: it cannot be told from the shapes which of ${chosen.map((n) => n.slice(basePath.length + 1)).join(", ")} the adapter's ${item[0]} is for`,
        });
      else {
        const part = name.slice(basePath.length + 1);
        this.matchModule(item, basePath, part, configOf(`${path}.${part}`), true);
      }
    });
  }

  private matchTokens(path: string, tensor: AdapterTensor): void {
    const basePath = this.locate(path);
    const weight = this.real(`${basePath}.weight`);
    if (!this.has(basePath, "weight")) return this.lose(path, basePath, [tensor]);
    if (this.base.placement?.(weight)) {
      this.mismatched.push({ path: weight, message: notWhole(weight) });
      return undefined;
    }
    const { shape } = this.shapeOf(weight);
    if (shape[1] === tensor.shape[1]) this.tokens.push({ weight, tensor });
    else
      this.mismatched.push({
        path: weight,
        message: `${basePath}: the adapter's token rows are [${tensor.shape.join(",")}], base weight is [${shape.join(",")}]`,
      });
    return undefined;
  }

  /** Shape that a base tensor has once the adapter's own version of it is in place. */
  private shapeOf(name: string): { readonly shape: readonly number[]; readonly dtype: string } {
    return this.resized.get(name) ?? this.base.info(name);
  }

  private lose(path: string, wanted: string, tensors: readonly AdapterTensor[]): void {
    const refusal = this.located.refusal?.(path);
    if (refusal !== undefined) {
      this.mismatched.push({ path, message: refusal });
      return;
    }
    const nearest = this.hints++ < MAX_HINTS ? nearestNames(wanted, this.index.modules.keys()) : [];
    this.missing.push({ path, wanted, tensors, nearest });
  }
}
