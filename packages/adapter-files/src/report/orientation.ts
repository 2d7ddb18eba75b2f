import { TURNED_LAYERS, TURNED_STACKS } from "../transformers/turned-weights.js";
import type { ModelKind } from "../transformers/model-kind.js";
import type { BaseIndex, BaseTensors } from "./base-index.js";
import { ownEntry } from "../own-entry.js";

/** What is asked about: a layer's matrix, or a stack of experts' matrices. */
export interface Oriented {
  /** Path of the module. */
  readonly path: string;
  /** It is a stack of matrices that the module uses directly. */
  readonly stack: boolean;
}

/** What the adapter says. */
export interface Claims {
  /** `fan_in_fan_out`: PEFT saves that of the module that it made last, so it is no proof for the others. */
  readonly fanInFanOut: boolean;
  /** Version of PEFT that wrote it. */
  readonly peftVersion: string | null | undefined;
}

/**
 * Whether weights are stored [in, out] where their shapes do not tell. Layers of one name are of one class, so what the shapes of one tell holds for
 * all: those of the adapter's factors beside the weight, or the weight's beside its bias.
 */
export class Orientations {
  /** Key of `keyOf` → what was seen of it. */
  private readonly seen = new Map<string, Set<boolean>>();

  constructor(
    private readonly model: ModelKind | undefined,
    private readonly base: BaseTensors,
    private readonly index: BaseIndex,
  ) {}

  /** Notes what shapes tell of a weight. */
  learn(weight: Oriented, turned: boolean): void {
    const key = keyOf(weight);
    this.seen.set(key, (this.seen.get(key) ?? new Set<boolean>()).add(turned));
  }

  /** @returns true if it is stored [in, out]; undefined if nothing tells */
  decide(weight: Oriented, claims: Claims): boolean | undefined {
    const shown = only(this.seen.get(keyOf(weight)));
    if (shown !== undefined) return shown;
    return weight.stack ? this.decideStack(weight, claims) : this.decideLayer(weight, claims);
  }

  private decideLayer(weight: Oriented, { fanInFanOut }: Claims): boolean | undefined {
    const turned = ownEntry(TURNED_LAYERS, this.model?.model_type)?.includes(leafOf(weight.path));
    if (turned !== undefined) return turned;
    const beside = this.besideBias(leafOf(weight.path));
    if (beside !== undefined) return beside;
    // The flag is that of all modules, unless shapes show a module that it is wrong for.
    const others = [...this.seen].flatMap(([key, values]) => (key.startsWith("layer ") ? [...values] : []));
    return others.every((other) => other === fanInFanOut) ? fanInFanOut : undefined;
  }

  /** A stack is turned if the model says so. If it does not, PEFT before 0.20 took it as turned all the same. */
  private decideStack({ path }: Oriented, { peftVersion }: Claims): boolean | undefined {
    const turned = ownEntry(TURNED_STACKS, this.model?.model_type) ?? this.fusedStack(path);
    return turned === false && !isRecent(peftVersion) ? undefined : turned;
  }

  /** A bias has the weight's outputs: tells of layers of that name that are not square. */
  private besideBias(leaf: string): boolean | undefined {
    const found = new Set<boolean>();
    for (const [path, parts] of this.index.modules) {
      if (leafOf(path) !== leaf || !parts.has("weight") || !parts.has("bias")) continue;
      const [weight, bias] = [this.base.info(`${path}.weight`).shape, this.base.info(`${path}.bias`).shape];
      if (weight.length === 2 && weight[0] !== weight[1]) found.add(weight[1] === bias[0]);
    }
    return only(found);
  }

  /** Gate and up joined are twice as many outputs. */
  private fusedStack(path: string): boolean | undefined {
    if (!this.index.modules.get(path)?.has("gate_up_proj")) return undefined;
    const [, rows, columns] = this.base.info(`${path}.gate_up_proj`).shape;
    const { shape } = this.base.info(`${path}.down_proj`);
    if (shape[1] !== shape[2] || rows === columns) return undefined;
    return columns === 2 * rows! ? true : rows === 2 * columns! ? false : undefined;
  }
}

const leafOf = (path: string): string => path.slice(path.lastIndexOf(".") + 1);
const keyOf = ({ path, stack }: Oriented): string => `${stack ? "stack" : "layer"} ${leafOf(path)}`;
const only = (values: ReadonlySet<boolean> | undefined): boolean | undefined => (values?.size === 1 ? [...values][0] : undefined);
const isRecent = (version: string | null | undefined): boolean => /^(?:0\.(?:[2-9]\d|\d{3,})|[1-9])/.test(version ?? "");
