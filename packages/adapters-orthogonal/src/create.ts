import { type AdapterGroup, createAdapter, type CreateAdapterOptions, type LayerInput } from "@weft/tensor-core";
import { BOFT } from "./boft/boft.js";
import { BOFTConfig, type BOFTConfigFields } from "./boft/config.js";
import { HRAConfig, type HRAConfigFields } from "./hra/config.js";
import { HRA } from "./hra/hra.js";
import { OFTConfig, type OFTConfigFields } from "./oft/config.js";
import { OFT } from "./oft/oft.js";

type Layers = { readonly [path: string]: LayerInput };

/** A new OFT adapter over layers given by path; it changes nothing yet. @throws ConfigError if config and layers do not fit */
export const createOft = async (
  config: Partial<OFTConfigFields>,
  layers: Layers,
  options?: CreateAdapterOptions,
): Promise<AdapterGroup<OFTConfigFields>> => createAdapter(OFT, new OFTConfig(config), layers, options);

/** A new BOFT adapter over layers given by path; it changes nothing yet. @throws ConfigError if config and layers do not fit */
export const createBoft = async (
  config: Partial<BOFTConfigFields>,
  layers: Layers,
  options?: CreateAdapterOptions,
): Promise<AdapterGroup<BOFTConfigFields>> => createAdapter(BOFT, new BOFTConfig(config), layers, options);

/** A new HRA adapter over layers given by path; it changes nothing yet if r is even. @throws ConfigError if config and layers do not fit */
export const createHra = async (
  config: Partial<HRAConfigFields>,
  layers: Layers,
  options?: CreateAdapterOptions,
): Promise<AdapterGroup<HRAConfigFields>> => createAdapter(HRA, new HRAConfig(config), layers, options);
