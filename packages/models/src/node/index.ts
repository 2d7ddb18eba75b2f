export { loadPretrained } from "./load-pretrained.js";
