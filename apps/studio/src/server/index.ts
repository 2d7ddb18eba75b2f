export { type EngineLink, engineThread } from "./engine-thread.js";
export { StudioServer, type StudioServerOptions } from "./studio-server.js";
