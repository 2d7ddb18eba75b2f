import { WeftError, type WeftErrorKind } from "@weft/tensor-core";

/** A failure as plain data, so that it crosses threads whole. */
export function packError(error: unknown): object {
  if (error instanceof WeftError) {
    const { code, message, kind, hint, file, tensor, byte, stack } = error;
    return {
      weft: true,
      code,
      message,
      kind,
      hint,
      file,
      tensor,
      byte,
      stack,
      system: (error.cause as NodeJS.ErrnoException | undefined)?.code,
    };
  }
  const { message, stack, code, path } = error as NodeJS.ErrnoException;
  return { weft: false, message, stack, code, path };
}

export function unpackError(data: object): Error {
  const { weft, code, message, kind, hint, file, tensor, byte, stack, system, path } = data as {
    weft: boolean;
    code: never;
    message: string;
    kind: WeftErrorKind;
    hint?: string;
    file?: string;
    tensor?: string;
    byte?: number;
    stack?: string;
    system?: string;
    path?: string;
  };
  const error = weft
    ? new WeftError(code, message, {
        kind,
        ...(hint !== undefined && { hint }),
        ...(file !== undefined && { file }),
        ...(tensor !== undefined && { tensor }),
        ...(byte !== undefined && { byte }),
        ...(system !== undefined && { cause: Object.assign(new Error(system), { code: system }) }),
      })
    : Object.assign(new Error(message), { code, path });
  if (stack !== undefined) error.stack = stack;
  return error;
}
