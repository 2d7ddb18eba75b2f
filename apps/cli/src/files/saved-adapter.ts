import { type SavedFile, saveModules, type SaveModulesOptions } from "@weft/checkpoint/node";
import { formatBytes } from "@weft/checkpoint/format";
import type { ConvertModule } from "@weft/convert";
import type { Context } from "../context.js";
import { showProgress } from "../progress.js";

/** What a command says of an adapter that it writes; the rest is said by its global options. */
export type SaveOptions = Omit<SaveModulesOptions, "methods" | "force" | "signal" | "onLoss" | "onProgress">;

/** Writes modules as an adapter, and says what of them is lost. @throws errors of `saveModules` */
export async function saveAdapter(modules: readonly ConvertModule[], options: SaveOptions, context: Context): Promise<SavedFile[]> {
  const {
    out,
    signal,
    options: { force },
  } = context;
  const { onProgress, end } = showProgress(out);
  const methods = (await context.methods()).table;
  const onLoss = ({ message }: { readonly message: string }): void => out.warn(`lost: ${message}`);
  return saveModules(modules, { ...options, methods, force, signal, onLoss, onProgress }).finally(end);
}

export const savedText = (files: readonly SavedFile[]): string[] => files.map(({ name, bytes }) => `✓ ${name}  ${formatBytes(bytes)}`);
