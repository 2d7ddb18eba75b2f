import type { Component } from "../dialect.js";

/** Where a component's modules begin in checkpoints that hold several. */
const ROOTS: readonly (readonly [prefix: string, component: Component])[] = [
  ["model.diffusion_model.", "denoiser"],
  ["diffusion_model.", "denoiser"],
  ["unet.", "denoiser"],
  ["transformer.", "denoiser"],
  ["cond_stage_model.transformer.", "te1"],
  ["cond_stage_model.model.", "te1"],
  ["conditioner.embedders.0.transformer.", "te1"],
  ["conditioner.embedders.0.model.", "te1"],
  ["conditioner.embedders.1.model.", "te2"],
  ["text_encoders.clip_l.transformer.", "te1"],
  ["text_encoders.clip_g.transformer.", "te2"],
  ["text_encoders.t5xxl.transformer.", "te3"],
  ["text_encoder.", "te1"],
  ["text_encoder_2.", "te2"],
  ["text_encoder_3.", "te3"],
];

/** A path of a base without what says the component it belongs to. @returns the path itself and no component, if it begins with none */
export function splitRoot(path: string): { readonly path: string; readonly component: Component | undefined } {
  const root = ROOTS.find(([prefix]) => path.startsWith(prefix));
  return root ? { path: path.slice(root[0].length), component: root[1] } : { path, component: undefined };
}

/** Paths of a checkpoint's denoiser, under its own names; of a checkpoint of one model all of them. */
export function denoiserPaths(paths: Iterable<string>): { readonly full: string; readonly path: string }[] {
  const split = [...paths].map((full) => ({ full, ...splitRoot(full) }));
  const marked = split.filter(({ component }) => component === "denoiser");
  return marked.length > 0 ? marked : split.filter(({ component }) => component === undefined);
}
