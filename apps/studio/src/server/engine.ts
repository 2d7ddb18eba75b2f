export type { EngineHost } from "../engine/host.js";
export { FolderRunStore } from "../store/folder-store.js";
export { serveEngine } from "./serve-engine.js";
