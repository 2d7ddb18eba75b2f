import type { AdapterContext, LayerKind, LayerSpec, Params, ParameterSpec, Tensor, TorchGenerator } from "@weft/tensor-core";
import type { LoraConfigFields } from "../lora/config.js";

/** Parameters of a layer by name, as `AdapterMethod.parameters` gives them. */
export type Specs = { readonly [name: string]: ParameterSpec };

/**
 * A variation of LoRA, turned on by a field of its config: what it stores, and how plain LoRA's A [r, in] and B [out, r] follow from that.
 * Everything else is plain LoRA's.
 */
export interface LoraVariant {
  /** As people call it. */
  readonly name: string;
  /** The field of the config that asks for it, in PEFT's spelling. */
  readonly field: string;
  /** Kinds of layer that it is defined for. */
  readonly kinds: readonly LayerKind[];
  /** The parameters as stored, from those of plain LoRA. @throws ConfigError if the variant does not take such a layer */
  parameters(plain: Specs, config: LoraConfigFields, layer: LayerSpec): Specs;
  /** Names on disk of the parameters that plain LoRA does not have. */
  readonly keys?: { readonly [name: string]: readonly string[] };
  /** Plain LoRA's A and B out of what is stored. */
  factors?(params: Params, context: AdapterContext<LoraConfigFields>): Params;
  /** A·x where its gradient is not that of A·x. */
  project?(x: Tensor, params: Params, context: AdapterContext<LoraConfigFields>): Tensor;
  /** What a new adapter has beside, or instead of, plain LoRA's parameters. @param weight the base weight */
  init?(
    params: Params,
    config: LoraConfigFields,
    layer: LayerSpec,
    generator: TorchGenerator,
    weight: Tensor | undefined,
  ): Promise<Params> | Params;
  /** A and B whose s·B·A the variant takes out of the base weight. */
  removed?(config: LoraConfigFields, layer: LayerSpec, weight: Tensor): Promise<Params>;
}
