// How adapters begin where a base weight or data decide: with the decompositions that this takes, which running an adapter does not.
export { residualWeight, withoutFactors } from "../init/residual.js";
export { initLora } from "../init/init.js";
export { cordaFactors } from "./corda.js";
export { IncrementalPca } from "./incremental-pca.js";
export { loftqFactors, type Quantise, quantiseInt8, quantiseNf4 } from "./loftq.js";
export { loraGaFactors } from "./lora-ga.js";
