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
