import {
  AdaptedLayer,
  AdapterGroup,
  type AdapterMethod,
  type Attached,
  CapabilityError,
  type LayerInput,
  type MethodTable,
  methodTable,
  type Params,
  specOf,
  type Tensor,
} from "@weft/tensor-core";
import { type OpenedAdapter, readAdapterConfig } from "@weft/adapter-files";
import type { AdapterState } from "./adapter-state.js";
import { weightName } from "./hooked-model.js";
import { layersModel } from "./layers-model.js";
import { PEFT_VERSION } from "./peft-version.js";
import type { LoadAdapterOptions } from "./load-state.js";
import { PeftModel } from "./peft-model.js";

/**
 * An adapter over layers as a `PeftModel` of those layers, which saves (`saveFiles`, `savePretrained`), merges and combines as any other: its adapter is
 * called `default`, and has the group's values at this moment.
 * @param methods what further adapters may be of; its own method if not given
 */
export function peftModelOf<C>(group: AdapterGroup<C>, methods: MethodTable = methodTable(group.method)): PeftModel<never, never> {
  const paths = [...group.layers.keys()];
  const given = { ...group.config, peftType: group.method.name, peft_version: PEFT_VERSION, targetModules: paths };
  const { dialect } = group.config as { readonly dialect?: AdapterState["dialect"] };
  const layers = [...group.layers].map(([path, { method, params, shared, layer, config }]): [string, readonly Attached[]] => [
    path,
    [{ method, params: { ...shared, ...params }, context: { layer, config, scale: 1 } } as unknown as Attached],
  ]);
  const peft = new PeftModel(layersModel(group.layers), methods);
  peft.setState(
    {
      config: readAdapterConfig(given, { methods }),
      ...(dialect && dialect !== "peft" && { dialect }),
      layers: new Map(layers),
      shared: group.shared,
      replaced: new Map(),
      expected: new Map(),
    },
    "default",
  );
  return peft;
}

/**
 * An adapter from a file on layers given by path: those that the file has, each as it was trained.
 * @throws MatchError, ShapeError if it does not wholly fit; CapabilityError if it does more than adapt layers
 */
export async function loadAdapterGroup(
  opened: OpenedAdapter,
  layers: { readonly [path: string]: LayerInput },
  options: LoadAdapterOptions = {},
): Promise<AdapterGroup<unknown>> {
  const specs = new Map(Object.entries(layers).map(([path, input]) => [path, specOf(opened.config.values, input)]));
  const peft = await PeftModel.fromPretrained(layersModel(specs), opened, options);
  const state = peft.state("default");
  const [more] = [...state.replaced.keys(), ...[...state.layers].flatMap(([path, all]) => (all.length > 1 ? [path] : []))];
  const [first] = [...state.layers.values()].flat();
  if (more !== undefined || !first)
    throw new CapabilityError(
      `the adapter ${first ? `has more than one method's parameters for ${more}` : `(${opened.method}) is on no layer`}`,
      {
        kind: "unsupported-method",
        hint: "load it on a model with PeftModel",
      },
    );
  const method = first.method as unknown as AdapterMethod<unknown>;
  const adapted = [...state.layers].map(([path, [one]]): [string, AdaptedLayer<unknown>] => {
    const { layer, config } = one!.context;
    const { base } = specs.get(path)!;
    const weight: Tensor = state.expected.get(weightName({ path, layer })) ?? base.weight;
    const own = Object.keys(method.parameters(config, layer));
    const part = (isOwn: boolean): Params =>
      Object.fromEntries(Object.entries(one!.params).filter(([name]) => own.includes(name) === isOwn));
    const { autocastAdapterDtype = true } = options;
    return [
      path,
      new AdaptedLayer(method, config, layer, { ...base, weight }, part(true), { shared: part(false), autocastAdapterDtype, name: path }),
    ];
  });
  return new AdapterGroup(method, opened.config.values as unknown, new Map(adapted), { shared: state.shared });
}
