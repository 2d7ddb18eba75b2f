import type { Component } from "./dialect.js";

/** Folders of a pipeline's parts, as diffusers names them. */
export const PIPELINE_FOLDERS: ReadonlyMap<string, Component> = new Map([
  ["unet", "denoiser"],
  ["transformer", "denoiser"],
  ["transformer_2", "denoiser"],
  ["text_encoder", "te1"],
  ["text_encoder_2", "te2"],
  ["text_encoder_3", "te3"],
  ["prior", "prior"],
]);

/** The part of a pipeline whose folder a file lies in, if it is one by its name. */
export const componentOfFolder = (location: string): Component | undefined => PIPELINE_FOLDERS.get(location.split(/[\\/]/).at(-2) ?? "");
