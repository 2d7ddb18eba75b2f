import { CapabilityError } from "@weft/tensor-core";

/** Loads a package that only some need. @throws CapabilityError kind `not-installed` */
export async function importPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new CapabilityError(`the package ${name} cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, {
      kind: "not-installed",
      hint: `npm install ${name}`,
      cause,
    });
  }
}
