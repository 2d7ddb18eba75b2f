// A process of its own: native code may write to stderr what no user of `weft doctor` can use, and may end the process.
import { createOnnxBackend } from "@weft/kernels-onnx";
import { WeftError } from "@weft/tensor-core";

/** What the process prints: the version that started, or why none did and what helps. */
export type OnnxProbe =
  | { readonly version: string }
  | { readonly kind: string; readonly message: string; readonly hint: string | undefined };

async function probe(): Promise<OnnxProbe> {
  try {
    const backend = await createOnnxBackend({ threads: 1 });
    backend.dispose();
    return { version: backend.version };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    const { kind, message, hint } = error;
    return { kind, message, hint };
  }
}

process.stdout.write(JSON.stringify(await probe()), () => process.exit());
