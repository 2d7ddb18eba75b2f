import { type Component, componentOfFolder, NAME_MAPS, namingOf, weightMatrix } from "@weft/adapter-files/dialects";
import type { ConvertModule } from "./convert-module.js";

const TEXT = /^(text_model[._]encoder[._]layers|encoder[._](layers|block))[._]/;

/**
 * Modules of a file for one model, which may be a part of a pipeline: its folder tells, else all paths together; those of a text encoder are taken for
 * the first one's.
 * @param location of the file
 */
export function withComponents(modules: readonly ConvertModule[], location = ""): ConvertModule[] {
  const folder = componentOfFolder(location);
  const open = modules.filter(({ component }) => component === "model");
  const { candidates, style } = namingOf(open.map(({ path, parameters }) => ({ path, matrix: weightMatrix(parameters) })));
  const componentOf = ({ path, component }: ConvertModule): Component => {
    if (component !== "model") return component;
    if (candidates.some((family) => NAME_MAPS[family].known(path, style!) !== undefined)) return folder === "prior" ? folder : "denoiser";
    if (!TEXT.test(path)) return "model";
    if (folder?.startsWith("te")) return folder;
    return path.startsWith("text_model") ? "te1" : "model";
  };
  return modules.map((module) => ({ ...module, component: componentOf(module) }));
}
