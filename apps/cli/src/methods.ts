import type { MethodTable } from "@weft/tensor-core";

/** The methods that a command knows: all of PEFT's and LyCORIS's. Loaded when the first adapter is opened: most of the program's code. */
export async function loadMethods(): Promise<MethodTable> {
  return (await import("@weft/methods")).ADAPTER_METHODS;
}
