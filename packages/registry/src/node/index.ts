export { PeftModel } from "../model/peft-model.js";
export { loadAdapter, loadPeftModel } from "./load-peft-model.js";
export { savePretrained } from "./save-pretrained.js";
