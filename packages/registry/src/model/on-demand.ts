// What new adapters, prompts and mixtures take: one piece, which is loaded with the first of them.
export { readPrompt } from "../prompt/read-prompt.js";
export { mixedLayers } from "./expert-state.js";
export { newState } from "./new-state.js";
export { loadPrompt } from "./prompt-state.js";
export { stateOfShared } from "./state-of-shared.js";
