import { fromCoreDType } from "@weft/io-safetensors";
import {
  assertMatch,
  heldAs,
  matchAdapter,
  type MatchedModule,
  type MatchReport,
  type ModelKind,
  moduleIndex,
  type OpenedAdapter,
  readAdapterTensor,
  readTensor,
  refuseUnrunnable,
  type SharedParameter,
} from "@weft/adapter-files";
import {
  adapterDType,
  assertKnownFields,
  type Attached,
  CapabilityError,
  type DType,
  type LayerOrigin,
  type LayerSpec,
  MatchError,
  type MethodEntry,
  type Params,
  type Tensor,
  tensor,
} from "@weft/tensor-core";
import { assertPlaceable, notRun, type PlacedLayer, placedLayer } from "./placed-layer.js";
import { gatherPlaced } from "./placed-values.js";

/** A model that an adapter is attached to. */
export interface AdapterHost {
  /** The layer at a module path, where the model knows it; else it follows from the weight and the adapter. */
  layer?(path: string): LayerSpec | undefined;
  /** Shape and dtype of a parameter by its full name (`lin.weight`). */
  tensor(name: string): { readonly shape: readonly number[]; readonly dtype: LayerSpec["dtype"] } | undefined;
  names(): Iterable<string>;
  /** Values of a parameter, for methods whose parameters follow from the base weight (`derived`). */
  values?(name: string): Tensor | undefined;
  /** What the model is, for the names that transformers has for its weights. */
  readonly kind?: ModelKind | undefined;
  /** Module paths in the order of the Python model, where it is known. */
  order?(): Iterable<string>;
}

/** How an adapter is attached to a model's layers. */
export interface AttachOptions {
  /** Factor on the adapter's effect; 1 if not given. */
  readonly scale?: number;
  /**
   * Hold the adapter in f32 whatever its file holds, as PEFT does by default (`autocast_adapter_dtype`); if false, in the dtype of the weights that
   * it is for.
   */
  readonly autocastAdapterDtype?: boolean;
  /** Layers of the adapter that its file does not hold: those of its experts. */
  readonly layers?: ReadonlyMap<string, Attached>;
  /** Go on although the config asks for something, or the file holds something, that is not known here, and so cannot be done. */
  readonly allowUnknownFields?: boolean;
  /** The caller changes weights of the model for layers that it holds otherwise: `placed` of the result. Without it such adapters are refused. */
  readonly allowPlaced?: boolean;
}

/** An adapter on a model: what `forwardAdapters` takes by module path (raw parameters: by full name), and the parameters that it replaces. */
export interface AttachedAdapter {
  readonly layers: ReadonlyMap<string, Attached>;
  readonly replaced: ReadonlyMap<string, Tensor>;
  /** Those of `layers` that are no layers of the model, by the same path: they act by what merging them makes of the tensors that they lie in. */
  readonly placed: ReadonlyMap<string, PlacedLayer>;
}

/**
 * Reads an adapter whole and attaches it to a model.
 * @throws MatchError, ShapeError if it does not wholly fit; CapabilityError if its method is not supported; ConfigError kind `unknown-field`
 */
export async function attachAdapter(adapter: OpenedAdapter, host: AdapterHost, options: AttachOptions = {}): Promise<AttachedAdapter> {
  const { scale = 1, autocastAdapterDtype = true } = options;
  const methodOf = (name: string): NonNullable<MethodEntry["method"]> => {
    const entry = adapter.methods.get(name);
    if (entry?.method) return entry.method;
    const message = entry?.prompt ? "change no layer: they stand in front of the input" : "are recognised, but not supported yet";
    throw new CapabilityError(`${name} adapters ${message}`, {
      kind: "unsupported-method",
      ...(entry?.prompt && { hint: "attach them with attachPrompt" }),
    });
  };
  const { fields } = methodOf(adapter.method);
  refuseUnrunnable(methodOf(adapter.method), adapter.config.values);
  if (!options.allowUnknownFields) assertKnownFields(Object.fromEntries(adapter.config.unknown), Object.keys(fields), adapter.method);
  const info = (name: string): { dtype: string; shape: readonly number[] } => {
    const { shape, dtype } = host.tensor(name)!;
    return { shape, dtype: fromCoreDType(dtype) };
  };
  const others = [...(options.layers ?? [])];
  const otherLayers = others.map(([path, { context }]) => ({ path, layer: context.layer }));
  const base = { names: () => host.names(), info };
  const report = await matchAdapter(adapter, base, { otherLayers, layer: (path) => host.layer?.(path), model: host.kind });
  assertMatch(report, adapter);
  const [inParts] = report.placements.keys();
  if (inParts !== undefined && !options.allowPlaced) throw notRun(inParts, "adapters on it are run by PeftModel alone");
  if (!options.allowUnknownFields) assertAllUsed(report, adapter, methodOf(adapter.method));
  const heldIn = (layer: LayerSpec | undefined): DType => adapterDType(layer?.dtype ?? "f32", autocastAdapterDtype);
  const shared = await readAll(adapter, report.shared, heldIn(report.matched[0]?.layer ?? otherLayers[0]?.layer));
  const layers = new Map(others.map(([path, one]): [string, Attached] => [path, { ...one, params: { ...shared, ...one.params } }]));
  const placed = new Map<string, PlacedLayer>();
  const values = (name: string): Tensor | undefined => {
    const placement = report.placements.get(name);
    return placement && host.values ? gatherPlaced(placement, (part) => host.values!(part)!) : host.values?.(name);
  };
  const indexOf = moduleIndex(report.matched, host.order?.());
  for (const { path, weight, bias, layer, method, config, tensors } of report.matched) {
    if (!layer)
      throw new CapabilityError(`${weight}: ${method} on a quantised weight is not supported yet`, {
        kind: "unsupported-method",
        tensor: weight,
      });
    const own = await readAll(adapter, new Map([...tensors].map(([name, tensor]) => [name, { tensor }])), heldIn(layer));
    const definition = methodOf(method);
    const params: Params = { ...shared, ...own };
    const found = await definition.derived?.derive(
      config as never,
      layer,
      originOf(method, values, { path, weight, bias }, indexOf),
      params,
      false,
    );
    const context = { layer, config: found?.config ?? config, scale };
    const key = layer.kind === "parameter" ? weight : path;
    if (layers.has(key))
      throw new CapabilityError(`${key}: the adapter changes it in two ways, ${layers.get(key)!.method.name} and ${method}`, {
        kind: "several-methods",
        tensor: weight,
        hint: "weft merge applies both",
      });
    const at = placedLayer(report.placements, { weight, bias }, info);
    if (at) placed.set(key, at);
    layers.set(key, { method: definition, params: { ...params, ...found?.params }, context: context as never });
  }
  const replaced = new Map<string, Tensor>();
  for (const { name, tensor } of report.replaced) replaced.set(name, await readTensor(adapter.weights, tensor.name));
  for (const path of placed.keys()) assertPlaceable(path, layers.get(path)!, adapter.config);
  return { layers, replaced, placed };
}

/** What no parameter is for would be lost on saving, and may have been meant to act. @throws MatchError */
function assertAllUsed({ unused }: MatchReport, { method, weights }: OpenedAdapter, { shared }: NonNullable<MethodEntry["method"]>): void {
  // RandLoRA's files have a copy of what all layers share at each of them.
  const copies = new Set(Object.values<readonly string[]>(shared?.keys ?? {}).flat());
  const names = unused.map(({ name }) => name).filter((name) => !copies.has(name.slice(name.lastIndexOf(".") + 1)));
  if (names.length === 0) return;
  throw new MatchError(
    `${names.length} of the adapter's tensors belong to nothing that ${method} has with this config: ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`,
    {
      kind: "unused-tensors",
      file: weights.location,
      tensor: names[0]!,
      hint: "does adapter_config.json belong to this file? allowUnknownFields drops them",
    },
  );
}

function originOf(
  method: string,
  valuesOf: (name: string) => Tensor | undefined,
  { path, weight, bias }: Pick<MatchedModule, "path" | "weight" | "bias">,
  place: (path: string) => Pick<LayerOrigin, "index" | "count">,
): LayerOrigin {
  const values = (name: string): Tensor => {
    const found = valuesOf(name);
    if (found) return found;
    throw new CapabilityError(`${path}: ${method} needs the values of ${name}, from which parameters follow that its file does not hold`, {
      kind: "needs-base",
      tensor: name,
      hint: "give the host a `values` function",
    });
  };
  return { path, weight: () => values(weight), bias: () => (bias === undefined ? undefined : values(bias)), ...place(path) };
}

/** @param dtype of floats, once they are read */
async function readAll({ weights }: OpenedAdapter, parameters: ReadonlyMap<string, SharedParameter>, dtype: DType): Promise<Params> {
  const read = [...parameters].map(async ([name, p]) => {
    const found = "tensor" in p ? await readAdapterTensor(weights, p.tensor) : tensor(p.values, { shape: p.shape });
    return [name, await heldAs(found, dtype)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}
