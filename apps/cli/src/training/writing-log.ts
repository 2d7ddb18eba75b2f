import { ioError } from "@weft/io-safetensors/node";

/** Writes to a file of records. @throws IoError that names it */
export function writingLog(file: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw ioError(error, file, "write");
  }
}
