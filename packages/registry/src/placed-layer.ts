import { type Attached, CapabilityError } from "@weft/tensor-core";
import { type AdapterConfig, type Placement, placeWhole } from "@weft/adapter-files";

/** Where a layer's parameters lie that a model has not as tensors of their own. */
export interface PlacedLayer {
  readonly weight: Placement;
  readonly bias?: Placement;
}

/** Where a module's parameters lie, if one of them is no tensor of the model. @param info of the model's tensors */
export function placedLayer(
  placements: ReadonlyMap<string, Placement>,
  { weight, bias }: { readonly weight: string; readonly bias: string | undefined },
  info: (name: string) => { readonly dtype: string; readonly shape: readonly number[] },
): PlacedLayer | undefined {
  if (!placements.has(weight) && (bias === undefined || !placements.has(bias))) return undefined;
  const at = (name: string): Placement => placements.get(name) ?? placeWhole(name, info(name));
  return { weight: at(weight), ...(bias !== undefined && { bias: at(bias) }) };
}

/** Adapters act on weights that a model holds otherwise by being merged into them: what cannot be merged is refused. @throws CapabilityError kind `unsupported-placement` */
export function assertPlaceable(path: string, { method }: Attached, { values }: AdapterConfig): void {
  if (method.active?.(values as never)) throw notRun(path, `${method.name} acts on some tokens alone`);
  if (!method.delta && !method.transform && !method.merge) throw notRun(path, `${method.name} is not merged into weights`);
}

/** The refusal of an adapter on a weight that a model holds otherwise. */
export const notRun = (path: string, why: string): CapabilityError =>
  new CapabilityError(`${path}: the model keeps this weight as a part of another, or in parts, and ${why}`, {
    kind: "unsupported-placement",
    tensor: path,
    hint: "take a model that holds this weight as the adapter does",
  });
