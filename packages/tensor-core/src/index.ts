export { type DType, DTYPES, bytesPerElement, isFloat, promote } from "./dtype.js";
export {
  CancelledError,
  CapabilityError,
  ConfigError,
  DTypeError,
  DeviceError,
  FormatError,
  IoError,
  MatchError,
  ShapeError,
  WeftError,
  type WeftErrorCode,
  type WeftErrorOptions,
} from "./errors.js";
export type { Backend, BackendBuffer, Capabilities, CompositeCall, Executable } from "./backend.js";
export {
  type Attrs,
  type AttrValue,
  BINARY,
  type BinaryOp,
  type BufferSpec,
  type Instruction,
  type Operand,
  type Plan,
  type Program,
  REDUCE,
  type ReduceOp,
  type Step,
  UNARY,
  type UnaryOp,
} from "./plan.js";
