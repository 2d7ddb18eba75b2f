export { createServer, type ListenOptions, ModelServer, type ServerAddress } from "./model-server.js";
export type { ServerOptions } from "./options.js";
