import { type AdapterGroup, createAdapter, type CreateAdapterOptions, type LayerInput } from "@weft/tensor-core";
import { BOFT } from "./boft/boft.js";
import { BoftConfig, type BoftConfigFields } from "./boft/config.js";
import { HraConfig, type HraConfigFields } from "./hra/config.js";
import { HRA } from "./hra/hra.js";
import { OftConfig, type OftConfigFields } from "./oft/config.js";
import { OFT } from "./oft/oft.js";

type Layers = { readonly [path: string]: LayerInput };

/** A new OFT adapter over layers given by path; it changes nothing yet. @throws ConfigError if config and layers do not fit */
export const createOft = (
  config: Partial<OftConfigFields>,
  layers: Layers,
  options?: CreateAdapterOptions,
): Promise<AdapterGroup<OftConfigFields>> => createAdapter(OFT, new OftConfig(config), layers, options);

/** A new BOFT adapter over layers given by path; it changes nothing yet. @throws ConfigError if config and layers do not fit */
export const createBoft = (
  config: Partial<BoftConfigFields>,
  layers: Layers,
  options?: CreateAdapterOptions,
): Promise<AdapterGroup<BoftConfigFields>> => createAdapter(BOFT, new BoftConfig(config), layers, options);

/** A new HRA adapter over layers given by path; it changes nothing yet if r is even. @throws ConfigError if config and layers do not fit */
export const createHra = (
  config: Partial<HraConfigFields>,
  layers: Layers,
  options?: CreateAdapterOptions,
): Promise<AdapterGroup<HraConfigFields>> => createAdapter(HRA, new HraConfig(config), layers, options);
