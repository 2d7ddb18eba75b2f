import type { ModelNames } from "../transformers/model-names.js";
import { type BaseIndex, type BaseTensors, indexBase, withPlacements } from "./base-index.js";
import type { Placement } from "./placement.js";

/** The base as one list of conversions reads it; with none, as it is. */
export class Names {
  readonly base: BaseTensors;
  readonly index: BaseIndex;
  private readonly paths = new Map<string, string>();

  private readonly refusals = new Map<string, string>();

  /** @param model the checkpoint's names as transformers reads them; @param wanted paths that are looked for in it */
  constructor(base: BaseTensors, wanted: readonly string[], model?: ModelNames) {
    const placements = new Map<string, Placement>(model?.placements);
    const plain = new Set(base.names());
    for (const path of model ? wanted : []) this.place(path, model!, plain, placements);
    this.base = placements.size > 0 ? withPlacements(base, placements) : base;
    this.index = indexBase(this.base.names());
  }

  /** Notes where a path's weight lies that is no weight of the checkpoint or of the model under that name. */
  private place(path: string, model: ModelNames, plain: ReadonlySet<string>, placements: Map<string, Placement>): void {
    const name = `${path}.weight`;
    if (plain.has(name) || placements.has(name)) return;
    const found = model.place(name);
    if (!found) {
      const refusal = model.refusal(path);
      if (refusal !== undefined) this.refusals.set(path, refusal);
      const renamed = model.rename(name);
      if (renamed !== name) this.paths.set(path, renamed.slice(0, -".weight".length));
      return;
    }
    if (found.name === name) placements.set(name, found.placement!);
    else this.paths.set(path, found.name.slice(0, -".weight".length));
  }

  has(path: string): boolean {
    return this.index.modules.has(path) || this.index.modules.has(this.locate(path));
  }

  locate(path: string): string {
    return this.index.modules.has(path) ? path : (this.paths.get(path) ?? path);
  }

  refusal(path: string): string | undefined {
    return this.refusals.get(path);
  }

  /** The tensors of the base that a path's module lies in. */
  tensors(path: string): readonly unknown[] {
    const at = this.locate(path);
    return [...(this.index.modules.get(at) ?? [])].map((part) => this.base.placement?.(`${at}.${part}`)?.parts ?? `${at}.${part}`);
  }
}
