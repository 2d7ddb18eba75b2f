// A process of its own: native code may write to stderr what no user of `weft doctor` can use, and may end the process.
import { createOnnxBackend } from "@weft/kernels-onnx";
import { WeftError } from "@weft/tensor-core";

/** What the process prints: the version that started, with the providers that it has, or why none did and what helps. */
export type OnnxProbe =
  | { readonly version: string; readonly available: readonly string[] }
  | { readonly kind: string; readonly message: string; readonly hint: string | undefined };

/** With the providers that the arguments name. */
async function probe(providers: readonly string[]): Promise<OnnxProbe> {
  try {
    const backend = await createOnnxBackend({ threads: 1, providers });
    backend.dispose();
    return { version: backend.version, available: backend.available };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    const { kind, message, hint } = error;
    return { kind, message, hint };
  }
}

process.stdout.write(JSON.stringify(await probe(process.argv.slice(2))), () => process.exit());
