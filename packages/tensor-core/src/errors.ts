import type { WeftErrorCode, WeftErrorKind } from "./error-kinds/kinds.js";

/** What an error says besides its message. `K`: the kinds that it may have. */
export interface WeftErrorOptions<K extends WeftErrorKind = WeftErrorKind> {
  /** Stable machine-readable name, one of `WeftErrorKinds`, for instance `header-json`; defaults to the code. */
  kind?: K | undefined;
  /** What the user can do about it. */
  hint?: string | undefined;
  /** The file concerned. */
  file?: string | undefined;
  /** The tensor or module concerned. */
  tensor?: string | undefined;
  /** Byte position in `file`. */
  byte?: number | undefined;
  /** The error that this one follows from. */
  cause?: unknown;
}

/**
 * Base of every error that weft throws on purpose. The message says what, where, expected and got;
 * `hint` says what to do.
 */
export class WeftError extends Error {
  // Written out in every class: minifiers rename classes, and callers compare names.
  override readonly name: string = "WeftError";
  readonly code: WeftErrorCode;
  readonly kind: WeftErrorKind;
  readonly hint: string | undefined;
  readonly file: string | undefined;
  readonly tensor: string | undefined;
  readonly byte: number | undefined;

  constructor(code: WeftErrorCode, message: string, options: WeftErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = options.kind ?? code;
    this.hint = options.hint;
    this.file = options.file;
    this.tensor = options.tensor;
    this.byte = options.byte;
  }
}

/** Shapes do not fit an operation. */
export class ShapeError extends WeftError {
  override readonly name = "ShapeError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"shape">>) {
    super("shape", message, options);
  }
}

/** An index that a tensor holds is none of those that an operation takes. Only devices that check indices throw it: kind `index`. */
export class IndexError extends WeftError {
  override readonly name = "IndexError";
  readonly operation: string;
  /** The operand that holds it. */
  readonly operand: string;
  /** That farthest out of range. */
  readonly index: number;
  /** The least and the greatest that is allowed. */
  readonly range: readonly [least: number, most: number];

  constructor(operation: string, operand: string, index: number, range: readonly [least: number, most: number]) {
    const [least, most] = range;
    const allowed = most < least ? "none, the axis is empty" : `${least} to ${most}`;
    super("shape", `${operation}: ${operand} holds ${index}; allowed are ${allowed}`, {
      kind: "index",
      hint: "compare what made these indices (token ids, labels, the index tensors of an adapter) with the size of what they point into",
    });
    this.operation = operation;
    this.operand = operand;
    this.index = index;
    this.range = range;
  }
}

/** A dtype is not what an operation takes. */
export class DTypeError extends WeftError {
  override readonly name = "DTypeError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"dtype">>) {
    super("dtype", message, options);
  }
}

/** A file breaks the rules of its format. */
export class FormatError extends WeftError {
  override readonly name = "FormatError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"format">>) {
    super("format", message, options);
  }
}

/** A configuration value is invalid or unsupported. */
export class ConfigError extends WeftError {
  override readonly name = "ConfigError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"config">>) {
    super("config", message, options);
  }
}

/** Something valid that this build, backend or runtime cannot do. */
export class CapabilityError extends WeftError {
  override readonly name = "CapabilityError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"capability">>) {
    super("capability", message, options);
  }
}

/** A device is missing, lost or out of memory. */
export class DeviceError extends WeftError {
  override readonly name = "DeviceError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"device">>) {
    super("device", message, options);
  }
}

/** The caller's AbortSignal fired, or the process was asked to stop. */
export class CancelledError extends WeftError {
  override readonly name = "CancelledError";

  constructor(message = "cancelled", options?: WeftErrorOptions<WeftErrorKind<"cancelled">>) {
    super("cancelled", message, options);
  }
}

/** The operating system refused to read or write: disk full, no permission, no such file. */
export class IoError extends WeftError {
  override readonly name = "IoError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"io">>) {
    super("io", message, options);
  }
}

/** An adapter and a base do not fit together: names that match nothing. */
export class MatchError extends WeftError {
  override readonly name = "MatchError";

  constructor(message: string, options?: WeftErrorOptions<WeftErrorKind<"match">>) {
    super("match", message, options);
  }
}
