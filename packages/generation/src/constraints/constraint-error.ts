import { ConfigError, type WeftErrorKind } from "@weft/tensor-core";

/** A ConfigError of a constraint. */
export const constraintError = (kind: WeftErrorKind<"config">, message: string, hint?: string): ConfigError =>
  new ConfigError(message, { kind, hint });
