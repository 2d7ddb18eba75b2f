import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError, type MethodDefinition, type MethodTable, methodTable } from "@weft/tensor-core";
import { CORE_ENTRIES } from "./core-entries.js";

/** The methods of a command. */
export interface Methods {
  readonly table: MethodTable;
  /** Modules of the user's that define some of them. */
  readonly files: readonly string[];
}

/**
 * All methods of PEFT and LyCORIS, and those that modules of the user's export: definitions, or tables of them, under any name. The modules find the
 * program's own tensor-core, wherever they lie.
 * @throws ConfigError kind `bad-methods` naming the file that cannot be loaded or exports no method; `duplicate-method`
 */
export async function loadMethods(files: readonly string[]): Promise<Methods> {
  const { ADAPTER_METHODS } = await import("@weft/methods");
  if (files.length === 0) return { table: ADAPTER_METHODS, files };
  shareCore();
  const own: (MethodDefinition | MethodTable)[] = [];
  for (const file of files) own.push(...(await methodsOf(file)));
  return { table: methodTable(ADAPTER_METHODS, ...own), files };
}

let shared = false;

/** Makes every module that is loaded from here on find the program's tensor-core: methods and the program must have the same tensors. */
function shareCore(): void {
  if (shared) return;
  shared = true;
  const urls = Object.fromEntries([...CORE_ENTRIES].map(([specifier, file]) => [specifier, new URL(file, import.meta.url).href]));
  register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, { data: urls });
}

const HOOKS = `
let urls = {};
export async function initialize(data) { urls = data; }
export async function resolve(specifier, context, next) {
  return Object.hasOwn(urls, specifier) ? { url: urls[specifier], shortCircuit: true } : next(specifier, context);
}`;

async function methodsOf(file: string): Promise<(MethodDefinition | MethodTable)[]> {
  let exported: { readonly [name: string]: unknown };
  try {
    exported = (await import(pathToFileURL(resolve(file)).href)) as typeof exported;
  } catch (cause) {
    throw new ConfigError(`${file}: it cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {
      kind: "bad-methods",
      file,
      hint: "--methods names a JavaScript module (.mjs) that exports definitions of methods, or tables of them",
      cause,
    });
  }
  const found = Object.values(exported).filter(isMethods);
  if (found.length > 0) return [...new Set(found)];
  throw new ConfigError(`${file}: it exports no method: ${Object.keys(exported).join(", ") || "nothing"}`, {
    kind: "bad-methods",
    file,
    hint: "export a definition, as docs/adding-a-method.md has it, or a table made by methodTable()",
  });
}

/** A definition has a name and fields, and says what its parameters are; a table is a Map. */
function isMethods(value: unknown): value is MethodDefinition | MethodTable {
  if (value instanceof Map) return [...value.values()].every((entry) => typeof entry === "object" && entry !== null && "fields" in entry);
  if (typeof value !== "object" || value === null) return false;
  const { name, fields, parameters } = value as { readonly [field: string]: unknown };
  return typeof name === "string" && typeof fields === "object" && typeof parameters === "function";
}
