import { adapterCases } from "./adapters.js";
import type { KernelCase, Sizes } from "./case.js";
import { movementCases } from "./movement.js";
import { productCases } from "./products.js";
import { recurrenceCases } from "./recurrences.js";
import { trainingCases } from "./training.js";

export { FULL, type KernelCase, type Make, type Sizes, SMALL } from "./case.js";

/** Work for every kernel of the backend. */
export function kernelCases(sizes: Sizes): KernelCase[] {
  return [...productCases(sizes), ...adapterCases(sizes), ...trainingCases(sizes), ...movementCases(sizes), ...recurrenceCases(sizes)];
}
